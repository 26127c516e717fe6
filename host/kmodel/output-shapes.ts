import type { KmodelV4, KmodelV4Node, UnknownNode } from './v4/model.js'
import type { MemoryRange, Shape4 } from './v4/values.js'

/** Shape of each output of a kmodel v4 where its nodes tell it: files hold none. Null where they do not. */
export function outputShapes(model: KmodelV4): (readonly number[] | null)[] {
  const known = new Map<number, readonly number[]>()
  for (const node of model.nodes) {
    const range = resultOf(node)
    if (range === null || range.memory !== 'main') continue
    const shape = shapeOf(node, known)
    if (shape) known.set(range.start, shape)
    else known.delete(range.start)
  }
  return model.outputs.map((range) => {
    const shape = known.get(range.start)
    const bytes = shape?.reduce((a, b) => a * b, range.type === 'float32' ? 4 : 1)
    return shape && bytes === range.bytes ? shape : null
  })
}

function resultOf(node: KmodelV4Node | UnknownNode): MemoryRange | null {
  if (node.op === 'unknown') return null
  return node.op === 'kpuConv2d' ? node.mainMemOutput : node.out
}

function shapeOf(
  node: KmodelV4Node | UnknownNode,
  known: ReadonlyMap<number, readonly number[]>,
): readonly number[] | null {
  switch (node.op) {
    case 'kpuConv2d': {
      const { layer } = node.kpu
      return [node.batches, layer.oChNum, layer.oColHigh, layer.oRowWid]
    }
    case 'dequantize':
    case 'quantize':
    case 'unary':
    case 'nnilUnary':
    case 'tableLookup1d':
    case 'memoryCopy':
    case 'softmax':
      return known.get(node.in.start) ?? null
    case 'transpose':
      return node.perm.map((axis) => node.inShape[axis] ?? 0)
    case 'pad': {
      const pads = [node.padN, node.padC, node.padH, node.padW]
      return node.inShape.map((size, axis) => size + pads[axis]!.before + pads[axis]!.after)
    }
    case 'binary':
    case 'quantizedBinary':
    case 'reduce':
    case 'conv2dTranspose':
      return node.outShape
    case 'resizeImage':
      return [node.inShape[0], node.inShape[1], node.outHeight, node.outWidth]
    case 'stridedSlice':
      return node.begin.map((begin, axis) => sliceSize(begin, node.end, node.strides, axis))
    case 'concat': {
      const total = node.dims.reduce((a, b) => a + b, 0)
      return [node.outerCount, total, node.innerBytes / (node.out.type === 'float32' ? 4 : 1)]
    }
    case 'matmul':
    case 'quantizedMatmul':
      return [1, 1, node.aRows, node.bCols]
    default:
      return null
  }
}

const sliceSize = (begin: number, end: Shape4, strides: Shape4, axis: number): number =>
  Math.max(0, Math.ceil((end[axis]! - begin) / (strides[axis] || 1)))
