import type { Op } from '../../ir/op.js'
import { type Importer, type ImportNode, UnsupportedUse } from '../scope.js'

type ReduceFn = Extract<Op, { kind: 'reduce' }>['fn']

function emitReduce(node: ImportNode, fn: ReduceFn): void {
  const rank = node.shape(0).length
  const given = node.numbers('axes', 1)
  if (!given && node.int('noop_with_empty_axes', 0) === 1) throw new UnsupportedUse('noop_with_empty_axes')
  const axes = given?.map((axis) => node.axis(axis, rank)) ?? Array.from({ length: rank }, (_, axis) => axis)
  node.emit({ kind: 'reduce', fn, axes, keepDims: node.int('keepdims', 1) === 1 }, [node.input(0)])
}

/** Reductions over axes. */
export const reduceImporters = {
  ReduceMean: (node) => emitReduce(node, 'mean'),
  ReduceMax: (node) => emitReduce(node, 'max'),
  ReduceMin: (node) => emitReduce(node, 'min'),
  ReduceSum: (node) => emitReduce(node, 'sum'),
} satisfies Record<string, Importer>
