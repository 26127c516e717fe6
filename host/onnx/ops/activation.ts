import type { Activation } from '../../ir/op.js'
import type { Importer, ImportNode } from '../scope.js'

function emitActivation(node: ImportNode, activation: Activation): void {
  node.emit({ kind: 'activation', activation }, [node.input(0)])
}

/** A bound of Clip: an attribute up to opset 10, a constant input since. */
function bound(node: ImportNode, attribute: string, index: number, otherwise: number): number {
  if (node.hasInput(index)) return node.requireConstant(index, attribute).data[0] ?? otherwise
  return node.float(attribute, otherwise)
}

const clip: Importer = (node) => {
  const min = bound(node, 'min', 1, Number.NEGATIVE_INFINITY)
  const max = bound(node, 'max', 2, Number.POSITIVE_INFINITY)
  emitActivation(node, min === 0 && max > 3e38 ? { fn: 'relu' } : { fn: 'clip', min, max })
}

/** Elementwise activations. */
export const activationImporters = {
  Relu: (node) => emitActivation(node, { fn: 'relu' }),
  LeakyRelu: (node) => emitActivation(node, { fn: 'leakyRelu', slope: node.float('alpha', 0.01) }),
  Clip: clip,
  Sigmoid: (node) => emitActivation(node, { fn: 'sigmoid' }),
  Tanh: (node) => emitActivation(node, { fn: 'tanh' }),
  HardSigmoid: (node) =>
    emitActivation(node, { fn: 'hardSigmoid', alpha: node.float('alpha', 0.2), beta: node.float('beta', 0.5) }),
  HardSwish: (node) => emitActivation(node, { fn: 'hardSwish' }),
  PRelu: (node) => {
    node.emit({ kind: 'prelu' }, [node.input(0), node.input(1)])
  },
} satisfies Record<string, Importer>
