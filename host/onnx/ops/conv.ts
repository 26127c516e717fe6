import { conv2dOp, square } from '../../ir/op.js'
import { type Importer, pairOf, resolvePads, UnsupportedUse } from '../scope.js'

const conv: Importer = (node) => {
  const weights = node.shape(1)
  if (weights.length !== 4 || node.shape(0).length !== 4) {
    throw new UnsupportedUse(`a convolution over ${weights.length - 2} axes; only 2 are supported`)
  }
  const kernel = { h: weights[2]!, w: weights[3]! }
  const stride = pairOf(node.ints('strides'), square(1))
  const dilation = pairOf(node.ints('dilations'), square(1))
  const pads = resolvePads(node, kernel, stride, dilation)
  const inputs = [node.input(0), node.input(1), ...(node.hasInput(2) ? [node.input(2)] : [])]
  node.emit(conv2dOp({ kernel, stride, dilation, pads, groups: node.int('group', 1) }), inputs)
}

const batchNormalization: Importer = (node) => {
  if (node.int('spatial', 1) !== 1) throw new UnsupportedUse('spatial = 0')
  if (node.int('training_mode', 0) !== 0) throw new UnsupportedUse('training_mode = 1')
  const inputs = [0, 1, 2, 3, 4].map((index) => node.input(index))
  node.emit({ kind: 'batchNorm', epsilon: node.float('epsilon', 1e-5) }, inputs)
}

/** Convolution and batch norm. */
export const convImporters = { Conv: conv, BatchNormalization: batchNormalization } satisfies Record<string, Importer>
