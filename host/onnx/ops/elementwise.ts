import type { BinaryFn, UnaryFn } from '../../ir/op.js'
import type { Importer, ImportNode } from '../scope.js'

/** Two inputs, or a chain of them (Sum, Min and Max take any number). */
function emitBinary(node: ImportNode, fn: BinaryFn): void {
  if (node.inputs.length === 1) {
    node.alias(node.input(0))
    return
  }
  let left = node.input(0)
  const last = node.inputs.length - 1
  for (let i = 1; i < last; i++) left = node.inner({ kind: 'binary', fn }, [left, node.input(i)], `part${i}`)
  node.emit({ kind: 'binary', fn }, [left, node.input(last)])
}

const binary =
  (fn: BinaryFn): Importer =>
  (node) =>
    emitBinary(node, fn)

const unary =
  (fn: UnaryFn): Importer =>
  (node) => {
    node.emit({ kind: 'unary', fn }, [node.input(0)])
  }

const softmax: Importer = (node) => {
  const shape = node.shape(0)
  const axis = node.axis(node.int('axis', node.opset < 13 ? 1 : -1), shape.length)
  if (node.opset >= 13 || axis === shape.length - 1) {
    node.emit({ kind: 'softmax', axis }, [node.input(0)])
    return
  }
  // up to opset 12 the axes from `axis` on are one
  const rows = shape.slice(0, axis).reduce((a, b) => a * b, 1)
  const flat = [rows, shape.slice(axis).reduce((a, b) => a * b, 1)]
  const matrix = node.inner({ kind: 'reshape', shape: flat }, [node.input(0)], 'flat')
  const soft = node.inner({ kind: 'softmax', axis: 1 }, [matrix], 'softmax')
  node.emit({ kind: 'reshape', shape }, [soft])
}

/** Arithmetic by element, and softmax. */
export const elementwiseImporters = {
  Add: binary('add'),
  Sub: binary('sub'),
  Mul: binary('mul'),
  Div: binary('div'),
  Pow: binary('pow'),
  Sum: binary('add'),
  Min: binary('min'),
  Max: binary('max'),
  Exp: unary('exp'),
  Log: unary('log'),
  Sqrt: unary('sqrt'),
  Neg: unary('neg'),
  Abs: unary('abs'),
  Floor: unary('floor'),
  Ceil: unary('ceil'),
  Reciprocal: unary('reciprocal'),
  Softmax: softmax,
} satisfies Record<string, Importer>
