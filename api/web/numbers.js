const count = Number(input.shape[1]), fields = Array.from({ length: count }, (_, i) =>
  make("input", { type: "number", value: "0", step: "any", ariaLabel: `${facts.input} ${i + 1}` }));
const ask = () => answer(fields.map((field) => Number(field.value) || 0), [1, count]);
fields.forEach((field, i) => {
  field.addEventListener("input", ask);
  $("fields").append(make("label", {}, `${i + 1} `, field));
});
$("random").addEventListener("click", () => {
  for (const field of fields) {
    const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    field.value = input.dtype.startsWith("float") ? normal.toFixed(3) : `${Math.round(Math.abs(normal))}`;
  }
  ask();
});
ask();
