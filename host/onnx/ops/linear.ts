import { type Importer, type ImportNode, UnsupportedUse } from '../scope.js'

function transposed(node: ImportNode, name: string, wanted: boolean, suffix: string): string {
  return wanted ? node.inner({ kind: 'transpose', perm: [1, 0] }, [name], suffix) : name
}

function scaled(node: ImportNode, name: string, factor: number, suffix: string): string {
  if (factor === 1) return name
  const constant = node.innerConstant(Float32Array.of(factor), [1], `${suffix}Factor`)
  return node.inner({ kind: 'binary', fn: 'mul' }, [name, constant], suffix)
}

const gemm: Importer = (node) => {
  if (node.shape(0).length !== 2 || node.shape(1).length !== 2)
    throw new UnsupportedUse('operands that are no matrices')
  const a = transposed(node, node.input(0), node.int('transA', 0) !== 0, 'a')
  const b = transposed(node, node.input(1), node.int('transB', 0) !== 0, 'b')
  const inputs = [scaled(node, a, node.float('alpha', 1), 'scaled'), b]
  if (!node.hasInput(2)) {
    node.emit({ kind: 'matmul' }, inputs)
    return
  }
  const product = node.inner({ kind: 'matmul' }, inputs, 'product')
  const bias = scaled(node, node.input(2), node.float('beta', 1), 'bias')
  node.emit({ kind: 'binary', fn: 'add' }, [product, bias])
}

/** Dense layers. */
export const linearImporters = {
  Gemm: gemm,
  MatMul: (node) => {
    if (node.shape(1).length !== 2) throw new UnsupportedUse(`a right operand of ${node.shape(1).length} axes`)
    node.emit({ kind: 'matmul' }, [node.input(0), node.input(1)])
  },
} satisfies Record<string, Importer>
