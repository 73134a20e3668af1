// Loads a network that Netwright compiled to WebAssembly, in a browser or Node:
//
//   import { load } from "./NAME.js";
//   const network = await load("NAME.wasm");
//   const { answer } = network.run({ image: { data: new Float32Array(784), shape: [1, 28, 28, 1] } });
//
// An array is { data, shape }: a typed array (or a plain one), row by row. Without a shape, an input's open sizes must follow
// from how many numbers there are.

const TYPES = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
  bool: Uint8Array, float16: globalThis.Float16Array ?? Uint16Array,
};
const INPUT = 1, OUTPUT = 2, STATE = 4;

/** A network from a URL, a Response, or the module's bytes. Rejects if there is no such file, or no SIMD. */
export async function load(source) {
  if (typeof source === "string" || source instanceof URL) source = await fetch(source);
  if (typeof Response !== "undefined" && source instanceof Response) {
    if (!source.ok) throw new Error(`${source.url}: ${source.status} ${source.statusText}`);
    source = await source.arrayBuffer();
  }
  const { instance } = await WebAssembly.instantiate(source, {});
  return new Network(instance.exports);
}

export class Network {
  constructor(wasm) {
    this.wasm = wasm;
    if (wasm.nw_begin()) throw new Error("there is no memory for the network");
    this.manifest = JSON.parse(this.#text(wasm.nw_manifest()));
    this.dims = this.manifest.dims;
    const used = this.manifest.buffers.map((info, number) => ({ ...info, number, use: wasm.nw_use(number) }));
    this.inputs = used.filter((info) => info.use === INPUT);
    this.outputs = used.filter((info) => info.use === OUTPUT);
    this.states = used.filter((info) => info.use === STATE);
    this.kept = new Map();  // each state's place, once sizes are known
    this.start = wasm.nw_mark();
  }

  /** Forgets what a stream has heard: states begin as zeros again. */
  reset() {
    this.kept.clear();
    this.wasm.nw_release(this.start);
  }

  /** The outputs, by name, of the inputs, by name. Throws an Error that says what is wrong with an input. */
  run(inputs) {
    const { wasm } = this, given = this.#bind(inputs);
    for (const info of this.states) {
      const place = this.kept.get(info.name) ?? this.#place(info);
      this.kept.set(info.name, place);
    }
    const mark = wasm.nw_mark();
    try {
      for (const info of this.inputs) {
        const at = this.#place(info, false);
        new TYPES[info.dtype](wasm.memory.buffer, at.address, at.count).set(given.get(info.name));
      }
      const places = new Map(this.outputs.map((info) => [info.name, this.#place(info)]));
      const bytes = wasm.nw_plan();
      if (bytes < 0) throw new Error("arrays of these shapes need more memory than there can be");
      const code = wasm.nw_run(this.#allocate(bytes));
      if (code) throw new Error(this.#text(wasm.nw_error(code)));
      const answers = {};
      for (const info of this.outputs) answers[info.name] = this.#read(info, places.get(info.name));
      return answers;
    } finally {
      wasm.nw_release(mark);
    }
  }

  /** What a stream remembers, by name. */
  remembered() {
    return Object.fromEntries(this.states.filter((info) => this.kept.has(info.name))
      .map((info) => [info.name, this.#read(info, this.kept.get(info.name))]));
  }

  /** Sets the dims from the inputs' shapes; returns each input's numbers, checked. */
  #bind(inputs) {
    const { wasm } = this, known = new Map(), numbers = new Map(), left = [];
    for (const name of Object.keys(inputs))
      if (!this.inputs.some((info) => info.name === name)) throw new Error(`there is no input ${name}`);
    for (const info of this.inputs) {
      const given = inputs[info.name];
      if (given === undefined) {
        if (info.ranges?.[0]?.what !== "length") throw new Error(`input ${info.name} is missing: ${describe(info)}`);
        left.push(info);
        continue;
      }
      const data = given.data ?? given, wide = TYPES[info.dtype] === BigInt64Array || TYPES[info.dtype] === BigUint64Array;
      if (data.length === undefined) throw new Error(`input ${info.name} is no array: ${describe(info)}`);
      numbers.set(info.name, wide && typeof data[0] !== "bigint" ? Array.from(data, BigInt) : data);
      const shape = given.shape ?? this.#guess(info, data.length);
      if (shape.length !== info.shape.length || shape.reduce((a, b) => a * b, 1) !== data.length)
        throw new Error(`input ${info.name}: ${data.length} numbers of shape [${shape}]; it is ${describe(info)}`);
      shape.forEach((size, axis) => {
        const which = wasm.nw_axis_dim(info.number, axis);
        if (which < 0) return;
        const dim = this.dims[which], before = known.get(which) ?? size;
        const most = dim.max ?? Infinity;
        if (size !== before || size < dim.min || size > most || size % dim.multiple_of)
          throw new Error(`input ${info.name}: axis ${axis} (${dim.name}) can't be ${size}`);
        known.set(which, size);
        wasm.nw_set_dim(which, size);
      });
    }
    for (const info of left) {
      const which = this.dims.findIndex((dim) => dim.name === info.ranges[0].high);
      const count = wasm.nw_size(info.number, 0);
      if (!known.has(which)) throw new Error(`input ${info.name} is missing: ${describe(info)}`);
      numbers.set(info.name, Array(count).fill(BigInt(known.get(which))));
    }
    this.dims.forEach((dim, which) => {
      if (dim.longest_of == null) return;
      wasm.nw_set_dim(which, [...numbers.get(dim.longest_of)].reduce((most, n) => Math.max(most, Number(n)), 1));
    });
    for (const info of this.inputs)
      if (this.#count(info) !== numbers.get(info.name).length)
        throw new Error(`input ${info.name}: ${numbers.get(info.name).length} numbers do not fit ${describe(info)}`);
    return numbers;
  }

  /** A shape with so many numbers, if one size alone is open, or all others can be 1. */
  #guess(info, count) {
    const open = info.shape.map((_, axis) => this.wasm.nw_axis_dim(info.number, axis) >= 0);
    const rest = info.shape.reduce((total, size, axis) => (open[axis] ? total : total * Number(size)), 1);
    const last = open.lastIndexOf(true);
    return info.shape.map((size, axis) => (axis === last ? count / rest : open[axis] ? 1 : Number(size)));
  }

  #count(info) {
    return info.shape.reduce((total, _, axis) => total * this.wasm.nw_size(info.number, axis), 1);
  }

  #allocate(bytes) {
    const address = this.wasm.nw_allocate(bytes) >>> 0;
    if (!address) throw new Error(`there is no memory for ${bytes} bytes`);
    return address;
  }

  #place(info, cleared = true) {
    const count = this.#count(info), bytes = count * TYPES[info.dtype].BYTES_PER_ELEMENT;
    const address = this.#allocate(bytes);
    if (cleared) new Uint8Array(this.wasm.memory.buffer, address, bytes).fill(0);
    this.wasm.nw_set_buffer(info.number, address);
    return { address, count, shape: info.shape.map((_, axis) => this.wasm.nw_size(info.number, axis)) };
  }

  #read(info, at) {
    return { data: new TYPES[info.dtype](this.wasm.memory.buffer, at.address, at.count).slice(), shape: at.shape };
  }

  #text(address) {
    const bytes = new Uint8Array(this.wasm.memory.buffer);
    let end = address;
    while (bytes[end]) end++;
    return new TextDecoder().decode(bytes.slice(address, end));
  }
}

function describe(info) {
  return `${info.dtype} [${info.shape.join(", ")}]`;
}
