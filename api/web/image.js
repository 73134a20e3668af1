const [height, width, channels] = input.shape.slice(1).map(Number), pad = $("pad"), pen = pad.getContext("2d", { willReadFrequently: true });
const cursor = { x: 140, y: 140, down: false };
let photo = null, last = null;
pen.lineCap = pen.lineJoin = "round";
$("centre").checked = channels === 1;

function clear() {
  photo = null;
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, 280, 280);
  look();
  $("results").replaceChildren(make("p", { className: "quiet", textContent: "Draw something, and see what it is taken for." }));
  $("inside").hidden = true;
  redraw = () => {};
}
function stroke(x, y) {
  pen.strokeStyle = "#fff";
  pen.lineWidth = 22;
  pen.beginPath();
  pen.moveTo(last?.x ?? x, last?.y ?? y);
  pen.lineTo(x, y + 0.01);
  pen.stroke();
  last = { x, y };
}

/** The part of the pad with ink in it, as a square with the frame that pictures of digits have around them. */
function frame() {
  const { data } = pen.getImageData(0, 0, 280, 280);
  let left = 280, top = 280, right = -1, bottom = -1;
  for (let y = 0; y < 280; y++)
    for (let x = 0; x < 280; x++)
      if (data[4 * (280 * y + x)] > 60) {
        left = Math.min(left, x); right = Math.max(right, x);
        top = Math.min(top, y); bottom = Math.max(bottom, y);
      }
  if (right < 0) return [0, 0, 280];
  const side = Math.max(right - left, bottom - top) * (height >= 16 ? 1.4 : 1.05) + 1;
  return [(left + right - side) / 2, (top + bottom - side) / 2, side];
}

/** Shows the network what is on the pad, in its own size. */
function look() {
  const seen = $("seen");
  seen.width = width;
  seen.height = height;
  const context = seen.getContext("2d", { willReadFrequently: true });
  const [x, y, side] = $("centre").checked && !photo ? frame() : [0, 0, 280];
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  // In halves: browsers read only some of the pixels when they make a picture much smaller at once.
  let from = make("canvas", { width: 256, height: 256 }), size = 256;
  const first = from.getContext("2d");
  first.fillRect(0, 0, 256, 256);
  first.drawImage(pad, x, y, side, side, 0, 0, 256, 256);
  while (size > 2 * Math.max(width, height)) {
    const half = make("canvas", { width: size / 2, height: size / 2 });
    half.getContext("2d").drawImage(from, 0, 0, size / 2, size / 2);
    from = half;
    size /= 2;
  }
  context.drawImage(from, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height), data = new Float32Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const rgb = [0, 1, 2].map((c) => ($("invert").checked ? 255 - pixels.data[4 * i + c] : pixels.data[4 * i + c]));
    const grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    for (let c = 0; c < channels; c++) data[i * channels + c] = (channels === 1 ? grey : rgb[c]) / 255 * facts.most;
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = channels === 1 ? grey : rgb[c];
  }
  context.putImageData(pixels, 0, 0);
  answer(input.dtype.startsWith("float") ? data : data.map(Math.round), [1, height, width, channels]);
}

const place = (event) => {
  const box = pad.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width * 280, (event.clientY - box.top) / box.height * 280];
};
pad.addEventListener("pointerdown", (event) => {
  pad.setPointerCapture(event.pointerId);
  if (photo) clear();
  last = null;
  stroke(...place(event));
});
pad.addEventListener("pointermove", (event) => {
  if (last && event.buttons) stroke(...place(event));
});
pad.addEventListener("pointerup", () => { last = null; look(); });
pad.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-12, 0], ArrowRight: [12, 0], ArrowUp: [0, -12], ArrowDown: [0, 12] }[event.key];
  if (event.key === " ") {
    cursor.down = !cursor.down;
    last = cursor.down ? { x: cursor.x, y: cursor.y } : null;
  } else if (step) {
    cursor.x = Math.min(270, Math.max(10, cursor.x + step[0]));
    cursor.y = Math.min(270, Math.max(10, cursor.y + step[1]));
  } else return;
  event.preventDefault();
  if (cursor.down) { stroke(cursor.x, cursor.y); look(); }
});
$("clear").addEventListener("click", clear);
for (const id of ["invert", "centre"]) $(id).addEventListener("change", look);
$("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  try {
    photo = await createImageBitmap(file);
  } catch { problem(`${file.name} is no image that this browser can read`); return; }
  const side = Math.min(photo.width, photo.height);
  pen.drawImage(photo, (photo.width - side) / 2, (photo.height - side) / 2, side, side, 0, 0, 280, 280);
  look();
});
clear();
