import { type Pool2dOp, pool2dOp, square } from '../../ir/op.js'
import { type Importer, type ImportNode, pairOf, resolvePads, UnsupportedUse } from '../scope.js'

function importPool(node: ImportNode, mode: Pool2dOp['mode']): void {
  const kernel = pairOf(node.ints('kernel_shape'), square(1))
  const stride = pairOf(node.ints('strides'), square(1))
  if (node.ints('dilations').some((step) => step !== 1)) throw new UnsupportedUse('a dilated pool')
  if (node.shape(0).length !== 4) throw new UnsupportedUse('a pool over other than 2 axes')
  const pads = resolvePads(node, kernel, stride, square(1))
  const ceil = node.int('ceil_mode', 0) === 1
  node.emit(pool2dOp({ mode, kernel, stride, pads, ceil, countPads: node.int('count_include_pad', 0) === 1 }), [
    node.input(0),
  ])
}

/** Pools. */
export const poolImporters = {
  MaxPool: (node) => importPool(node, 'max'),
  AveragePool: (node) => importPool(node, 'mean'),
  GlobalAveragePool: (node) => {
    node.emit({ kind: 'globalPool', mode: 'mean' }, [node.input(0)])
  },
  GlobalMaxPool: (node) => {
    node.emit({ kind: 'globalPool', mode: 'max' }, [node.input(0)])
  },
} satisfies Record<string, Importer>
