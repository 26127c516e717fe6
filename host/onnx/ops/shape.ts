import { broadcastTo, MAX_FOLDED_ELEMENTS } from '../../ir/evaluate.js'
import { broadcastShape } from '../../ir/shape.js'
import { elementCount } from '../../tensor/tensor.js'
import { type Importer, type ImportNode, UnsupportedUse } from '../scope.js'

const reshapeTo = (node: ImportNode, shape: readonly number[]): void => {
  node.emit({ kind: 'reshape', shape }, [node.input(0)])
}

const reshape: Importer = (node) => {
  const wanted = node.numbers('shape', 1)
  if (!wanted) throw new UnsupportedUse('no target shape')
  const from = node.shape(0)
  const keepZero = node.int('allowzero', 0) === 1
  const shape = wanted.map((size, axis) => (size === 0 && !keepZero ? (from[axis] ?? 1) : size))
  const open = shape.indexOf(-1)
  if (open >= 0) {
    const known = shape.reduce((product, size, axis) => (axis === open ? product : product * size), 1)
    shape[open] = elementCount(from) / known
  }
  reshapeTo(node, shape)
}

const flatten: Importer = (node) => {
  const shape = node.shape(0)
  const given = node.int('axis', 1)
  const axis = given < 0 ? given + shape.length : given
  reshapeTo(node, [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))])
}

const squeeze: Importer = (node) => {
  const shape = node.shape(0)
  const axes = node.numbers('axes', 1)?.map((axis) => node.axis(axis, shape.length))
  reshapeTo(
    node,
    shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
  )
}

const unsqueeze: Importer = (node) => {
  const given = node.numbers('axes', 1) ?? []
  const rank = node.shape(0).length + given.length
  const axes = given.map((axis) => node.axis(axis, rank))
  const rest = [...node.shape(0)]
  reshapeTo(
    node,
    Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1))),
  )
}

const transpose: Importer = (node) => {
  const rank = node.shape(0).length
  const reversed = Array.from({ length: rank }, (_, axis) => rank - 1 - axis)
  node.emit({ kind: 'transpose', perm: node.ints('perm', reversed) }, [node.input(0)])
}

const concat: Importer = (node) => {
  const axis = node.axis(node.int('axis', 1), node.shape(0).length)
  node.emit({ kind: 'concat', axis }, node.inputs)
}

const slice: Importer = (node) => {
  const shape = node.shape(0)
  const starts = node.numbers('starts', 1)
  const ends = node.numbers('ends', 2)
  if (!starts || !ends) throw new UnsupportedUse('no starts or ends')
  const axes = (node.numbers('axes', 3) ?? starts.map((_, i) => i)).map((axis) => node.axis(axis, shape.length))
  const steps = node.numbers('steps', 4) ?? starts.map(() => 1)
  if (steps.some((step) => step < 1)) throw new UnsupportedUse(`steps [${steps}]; only positive ones are supported`)
  const begin = shape.map(() => 0)
  const end = [...shape]
  const step = shape.map(() => 1)
  for (const [i, axis] of axes.entries()) {
    const size = shape[axis]!
    const place = (value: number) => Math.min(size, Math.max(0, value < 0 ? value + size : value))
    begin[axis] = place(starts[i]!)
    end[axis] = place(ends[i]!)
    step[axis] = steps[i]!
  }
  node.emit({ kind: 'slice', begin, end, step }, [node.input(0)])
}

const split: Importer = (node) => {
  const shape = node.shape(0)
  const axis = node.axis(node.int('axis', 0), shape.length)
  const count = node.outputs.length
  const even = Math.ceil(shape[axis]! / count)
  const sizes = node.numbers('split', 1) ?? node.outputs.map((_, i) => Math.min(even, shape[axis]! - i * even))
  let at = 0
  for (const [i, size] of sizes.entries()) {
    const begin = shape.map((_, k) => (k === axis ? at : 0))
    const end = shape.map((whole, k) => (k === axis ? at + size : whole))
    node.emit({ kind: 'slice', begin, end, step: shape.map(() => 1) }, [node.input(0)], i)
    at += size
  }
}

const pad: Importer = (node) => {
  const mode = node.string('mode', 'constant')
  if (mode !== 'constant') throw new UnsupportedUse(`mode ${mode}`)
  const shape = node.shape(0)
  const pads = node.numbers('pads', 1) ?? node.ints('paddings')
  const value = node.hasInput(2) ? (node.requireConstant(2, 'value').data[0] ?? 0) : node.float('value', 0)
  const axes = node.numbers('axes', 3)?.map((axis) => node.axis(axis, shape.length)) ?? shape.map((_, axis) => axis)
  const before = shape.map(() => 0)
  const after = shape.map(() => 0)
  for (const [i, axis] of axes.entries()) {
    before[axis] = pads[i] ?? 0
    after[axis] = pads[i + axes.length] ?? 0
  }
  node.emit({ kind: 'pad', before, after, value }, [node.input(0)])
}

const identity: Importer = (node) => node.alias(node.input(0))

const shapeOf: Importer = (node) => {
  const shape = node.shape(0)
  const slice = shape.slice(node.int('start', 0), node.has('end') ? node.int('end', shape.length) : shape.length)
  node.emitConstant({ shape: [slice.length], data: Int32Array.from(slice) })
}

const constant: Importer = (node) => {
  const tensor = node.tensor('value')
  if (tensor) node.emitConstant(tensor)
  else if (node.has('value_float'))
    node.emitConstant({ shape: [], data: Float32Array.of(node.float('value_float', 0)) })
  else if (node.has('value_int')) node.emitConstant({ shape: [], data: Int32Array.of(node.int('value_int', 0)) })
  else if (node.has('value_floats')) emitList(node, Float32Array.from(node.floats('value_floats')))
  else if (node.has('value_ints')) emitList(node, Int32Array.from(node.ints('value_ints')))
  else throw new UnsupportedUse('a constant that is neither tensor nor number')
}

const emitList = (node: ImportNode, data: Float32Array | Int32Array): void => {
  node.emitConstant({ shape: [data.length], data })
}

const constantOfShape: Importer = (node) => {
  const shape = Array.from(node.requireConstant(0, 'shape').data)
  const count = elementCount(shape)
  if (shape.some((size) => size < 0) || count > MAX_FOLDED_ELEMENTS) throw new UnsupportedUse(`a tensor of [${shape}]`)
  const value = node.tensor('value')?.data ?? Float32Array.of(0)
  const data = value instanceof Float32Array ? new Float32Array(count) : new Int32Array(count)
  node.emitConstant({ shape, data: data.fill(value[0] ?? 0) })
}

const gather: Importer = (node) => {
  const { shape, data } = node.requireConstant(0, 'data')
  const indices = node.requireConstant(1, 'indices')
  const axis = node.axis(node.int('axis', 0), shape.length)
  const size = shape[axis] ?? 1
  const inner = elementCount(shape.slice(axis + 1))
  const outer = elementCount(shape.slice(0, axis))
  const rows: number[] = []
  for (let o = 0; o < outer; o++) {
    for (const given of indices.data) {
      const index = given < 0 ? given + size : given
      if (index < 0 || index >= size) throw new UnsupportedUse(`index ${given} is outside ${size}`)
      for (let i = 0; i < inner; i++) rows.push(data[(o * size + index) * inner + i]!)
    }
  }
  const values = data instanceof Float32Array ? Float32Array.from(rows) : Int32Array.from(rows)
  node.emitConstant({ shape: [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)], data: values })
}

const ONNX_FLOATS: readonly number[] = [1, 10, 11]

const cast: Importer = (node) => {
  const value = node.constant(0)
  const toFloat = ONNX_FLOATS.includes(node.int('to', 1))
  if (value) {
    const data = toFloat ? Float32Array.from(value.data) : Int32Array.from(value.data)
    node.emitConstant({ shape: value.shape, data })
  } else if (toFloat) node.alias(node.input(0))
  else throw new UnsupportedUse('a cast of a computed value to whole numbers')
}

const expand: Importer = (node) => {
  const value = node.requireConstant(0, 'input')
  const shape = broadcastShape(value.shape, Array.from(node.requireConstant(1, 'shape').data))
  if (elementCount(shape) > MAX_FOLDED_ELEMENTS) throw new UnsupportedUse(`a tensor of [${shape}]`)
  node.emitConstant(broadcastTo(value, shape))
}

/** Shapes, copies and constants. */
export const shapeImporters = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Split: split,
  Pad: pad,
  Identity: identity,
  Dropout: identity,
  Shape: shapeOf,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Gather: gather,
  Cast: cast,
  Expand: expand,
} satisfies Record<string, Importer>
