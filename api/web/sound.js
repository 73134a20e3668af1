const dim = network.dims.find((one) => one.name === input.shape[1]), wave = $("wave");
let recorder = null;

/** The samples of a file of sound, on one channel, at the network's rate. */
async function samplesOf(bytes) {
  const context = new OfflineAudioContext(1, 1, facts.rate), sound = await context.decodeAudioData(bytes);
  const total = new Float32Array(sound.length);
  for (let c = 0; c < sound.numberOfChannels; c++) sound.getChannelData(c).forEach((value, i) => { total[i] += value / sound.numberOfChannels; });
  return total;
}

/** Filled up with silence, or cut, to a length that the network takes. */
function fitting(samples) {
  const most = dim.max ?? Infinity, multiple = dim.multiple_of;
  const length = Math.min(Math.max(Math.ceil(samples.length / multiple) * multiple, dim.min), most);
  const fitted = new Float32Array(length);
  fitted.set(samples.subarray(0, length));
  return fitted;
}

function draw(samples) {
  const context = wave.getContext("2d");
  wave.width = 600;
  wave.height = 120;
  context.fillStyle = colour("--accent");
  for (let x = 0; x < 600; x++) {
    const part = samples.subarray(Math.floor(x * samples.length / 600), Math.max(1, Math.floor((x + 1) * samples.length / 600)));
    const most = part.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    context.fillRect(x, 60 - 58 * most, 1, Math.max(1, 116 * most));
  }
}

async function hear(bytes, name) {
  try {
    const samples = fitting(await samplesOf(bytes));
    draw(samples);
    $("heard").textContent = `${name}: ${(samples.length / facts.rate).toFixed(2)} s at ${facts.rate} samples per second`;
    answer(samples, input.shape.length === 2 ? [1, samples.length] : [1, samples.length, 1]);
  } catch { problem(`${name} is no sound that this browser can read`); }
}

$("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) await hear(await file.arrayBuffer(), file.name);
});
$("record").addEventListener("click", async () => {
  const button = $("record");
  if (recorder) { recorder.stop(); return; }
  if (!navigator.mediaDevices) {
    problem("Browsers let pages record over https or from localhost only; open a recording");
    return;
  }
  button.disabled = true;  // the browser may ask whether this page may record
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true }), parts = [];
    recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.addEventListener("stop", async () => {
      stream.getTracks().forEach((track) => track.stop());
      recorder = null;
      button.textContent = "Record";
      button.setAttribute("aria-pressed", "false");
      await hear(await new Blob(parts).arrayBuffer(), "the recording");
    });
    recorder.start();
    button.textContent = "Stop";
    button.setAttribute("aria-pressed", "true");
    $("heard").textContent = "Recording. Speak, then press Stop.";
    problem("");
  } catch (error) { problem(`There is no microphone to record with (${error.message}); open a recording`); }
  button.disabled = false;
});
