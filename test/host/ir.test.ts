import t from 'tap'
import { isBridgeError } from '../../host/foundation/errors.js'
import { GraphBuilder } from '../../host/ir/builder.js'
import { checkGraph, graphFaults } from '../../host/ir/check.js'
import type { Graph } from '../../host/ir/graph.js'
import { evenPads, pool2dOp, square } from '../../host/ir/op.js'
import { printGraph } from '../../host/ir/printer.js'
import { inferShape } from '../../host/ir/shape.js'

function smallNet(): Graph {
  const b = new GraphBuilder('small')
  const x = b.input('x', [1, 3, 8, 10])
  const weights = new Float32Array(4 * 3 * 9).fill(0.5)
  const y = b.conv2d(x, { weights, shape: [4, 3, 3, 3], pads: evenPads(1), bias: new Float32Array(4) }, 'conv')
  const z = b.activation(y, { fn: 'leakyRelu', slope: 0.1 }, 'leaky')
  return b.output(b.maxPool(z, square(2), square(2), {}, 'pool')).build()
}

t.test('printer: a small net prints one line a node', async (t) => {
  t.equal(
    printGraph(smallNet()),
    [
      'graph small (x: [1,3,8,10])',
      '  conv: [1,4,8,10] = conv2d 3x3 pads=1,1,1,1 (x, {4x3x3x3}, {0,0,0,0})',
      '  leaky: [1,4,8,10] = activation leakyRelu(0.1) (conv)',
      '  pool: [1,4,4,5] = pool2d max 2x2 stride=2x2 (leaky)',
      '  return pool',
      '',
    ].join('\n'),
  )
})

t.test('check: a sound graph has no faults', async (t) => {
  t.same(graphFaults(smallNet()), [])
  t.doesNotThrow(() => checkGraph(smallNet()))
})

t.test('check: a node that runs before its input, a missing tensor and a wrong shape are all named', async (t) => {
  const graph = smallNet()
  const broken: Graph = { ...graph, nodes: [graph.nodes[1]!, graph.nodes[0]!, graph.nodes[2]!], outputs: ['nowhere'] }
  const faults = graphFaults(broken)
  t.match(faults.join('\n'), /leaky: reads conv before it is made/)
  t.match(faults.join('\n'), /output nowhere is never made/)
  const tensors = new Map(graph.tensors)
  tensors.set('pool', { ...graph.tensors.get('pool')!, shape: [1, 4, 4, 6] })
  try {
    checkGraph({ ...graph, tensors }, 'a-pass')
    t.fail('must throw')
  } catch (error) {
    t.ok(isBridgeError(error, 'IR_INVALID'))
    t.match(error, { where: { after: 'a-pass' }, what: /makes \[1,4,4,5\] but pool is \[1,4,4,6\]/ })
  }
})

t.test('builder: two tensors of one name and data of the wrong length are refused', async (t) => {
  const b = new GraphBuilder('g')
  b.input('x', [1, 1, 4, 4])
  t.throws(() => b.input('x', [1]), { code: 'IR_INVALID' })
  t.throws(() => b.constant(new Float32Array(3), [2, 2]), { code: 'IR_INVALID' })
})

t.test('inferShape: pools round down, or up without a window that begins in the trailing padding', async (t) => {
  const shape = [1, 2, 15, 20]
  t.same(inferShape(pool2dOp({ kernel: square(2), stride: square(2) }), [shape]), [1, 2, 7, 10])
  t.same(inferShape(pool2dOp({ kernel: square(2), stride: square(2), ceil: true }), [shape]), [1, 2, 8, 10])
  t.same(inferShape(pool2dOp({ kernel: square(3), stride: square(2), ceil: true }), [[1, 2, 24, 24]]), [1, 2, 12, 12])
  t.same(inferShape({ kind: 'pick', stride: 2 }, [shape]), [1, 2, 8, 10])
})

t.test('inferShape: what does not fit is COMPILE_SHAPE', async (t) => {
  const wrong = () => inferShape({ kind: 'binary', fn: 'add' }, [[2, 3], [4]])
  t.throws(wrong, { code: 'COMPILE_SHAPE' })
  t.throws(() => inferShape({ kind: 'reshape', shape: [5] }, [[2, 3]]), { code: 'COMPILE_SHAPE' })
})
