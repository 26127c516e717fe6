import t from 'tap'
import { placeBlocks } from '../../host/compiler/allocate/blocks.js'
import type { PassContext } from '../../host/compiler/options.js'
import { assignKpu } from '../../host/compiler/passes/assign-kpu.js'
import { cutHeads } from '../../host/compiler/passes/cut-heads.js'
import { foldAffine } from '../../host/compiler/passes/fold-affine.js'
import { foldConstants } from '../../host/compiler/passes/fold-constants.js'
import { foldInputNormalization } from '../../host/compiler/passes/fold-input-normalization.js'
import { fuseActivation } from '../../host/compiler/passes/fuse-activation.js'
import { fusePool } from '../../host/compiler/passes/fuse-pool.js'
import { placePads, planAxis } from '../../host/compiler/passes/place-pads.js'
import { placeTransfers } from '../../host/compiler/passes/place-transfers.js'
import { sinkPicks } from '../../host/compiler/passes/sink-picks.js'
import { runPasses } from '../../host/compiler/pipeline.js'
import { isBridgeError } from '../../host/foundation/errors.js'
import { GraphBuilder } from '../../host/ir/builder.js'
import { checkGraph } from '../../host/ir/check.js'
import type { Graph } from '../../host/ir/graph.js'
import { evenPads, pool2dOp, square } from '../../host/ir/op.js'
import { printGraph } from '../../host/ir/printer.js'
import { createRandom } from '../support/random.js'
import { throwsCode } from '../support/throws-code.js'

const context: PassContext = {
  options: { method: 'minmax', target: 'v4' },
  mean: [0],
  std: [1],
  calibration: [],
  decoder: undefined,
}

const filled = (count: number, value = 1) => new Float32Array(count).fill(value)

/** A graph of one input [1, 2, 8, 8] and what `build` adds; its result is the output. */
function graphOf(build: (b: GraphBuilder, x: string) => string | string[], shape = [1, 2, 8, 8]): Graph {
  const b = new GraphBuilder('g')
  const outputs = build(b, b.input('x', shape))
  return b.output(...(typeof outputs === 'string' ? [outputs] : outputs)).build()
}

const conv1x1 = (b: GraphBuilder, x: string, name: string, channels = 2, value = 1) =>
  b.conv2d(x, { weights: filled(channels * channels, value), shape: [channels, channels, 1, 1] }, name)

/** Lines of nodes and outputs, without the head line. */
function lines(graph: Graph): string[] {
  checkGraph(graph)
  return printGraph(graph)
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
}

t.test('fold-constants: nodes over constants become values, nodes that do nothing go', async (t) => {
  const graph = graphOf((b, x) => {
    const a = b.constant(Float32Array.of(1, 2), [2, 1, 1])
    const sum = b.node({ kind: 'binary', fn: 'add' }, [a, a], 'sum')
    const same = b.node({ kind: 'reshape', shape: [1, 2, 8, 8] }, [x], 'same')
    return b.node({ kind: 'binary', fn: 'mul' }, [same, sum], 'y')
  })
  t.same(lines(foldConstants(graph)), ['y: [1,2,8,8] = binary fn=mul (x, {2,4})', 'return y'])
  const plain = graphOf((b, x) => conv1x1(b, x, 'c'))
  t.equal(foldConstants(plain), plain, 'the same graph when nothing matches')
})

t.test('fold-affine: batch norm and arithmetic by channel go into weights and bias', async (t) => {
  const graph = graphOf((b, x) => {
    const y = conv1x1(b, x, 'c')
    const constants = [
      [2, 3],
      [1, 0],
      [4, 0],
      [1, 1],
    ].map((v) => b.constant(Float32Array.from(v), [2]))
    const norm = b.node({ kind: 'batchNorm', epsilon: 0 }, [y, ...constants], 'norm')
    return b.node({ kind: 'binary', fn: 'add' }, [norm, b.constant(Float32Array.of(5), [1])], 'y')
  })
  const folded = foldAffine(graph)
  t.same(lines(folded), ['y: [1,2,8,8] = conv2d 1x1 (x, {2,2,3,3}, {-2,5})', 'return y'])
  const weights = folded.tensors.get(folded.nodes[0]!.inputs[1]!)!.data
  t.same(Array.from(weights!), [2, 2, 3, 3])
})

t.test('fold-affine: a batch norm alone becomes a depthwise convolution', async (t) => {
  const graph = graphOf((b, x) => {
    const constants = [
      [2, 3],
      [1, 0],
      [0, 0],
      [1, 1],
    ].map((v) => b.constant(Float32Array.from(v), [2]))
    return b.node({ kind: 'batchNorm', epsilon: 0 }, [x, ...constants], 'norm')
  })
  const expected = 'norm: [1,2,8,8] = conv2d 3x3 pads=1,1,1,1 groups=2 (x, {2x1x3x3}, {1,0})'
  t.same(lines(foldAffine(graph)), [expected, 'return norm'])
})

t.test('fold-affine: a convolution that something else reads keeps its values', async (t) => {
  const graph = graphOf((b, x) => {
    const y = conv1x1(b, x, 'c')
    const z = b.node({ kind: 'binary', fn: 'mul' }, [y, b.constant(Float32Array.of(2), [1])], 'z')
    return [y, z]
  })
  t.equal(foldAffine(graph), graph)
})

t.test('fold-input-normalization: mean and std go into weights, bias and the padding pixel', async (t) => {
  const build = (b: GraphBuilder, x: string) => {
    const spec = { weights: filled(18), shape: [1, 2, 3, 3] as const, pads: evenPads(1), bias: Float32Array.of(3) }
    return b.conv2d(x, { ...spec, shape: [1, 2, 3, 3] }, 'c')
  }
  const folded = foldInputNormalization(graphOf(build), { ...context, mean: [100, 20], std: [2, 4] })
  // bias 3 - 9 * 100 / 2 - 9 * 20 / 4
  t.same(lines(folded), ['c: [1,1,8,8] = conv2d 3x3 pads=1,1,1,1 padValue=60 (x, {1x2x3x3}, {-492})', 'return c'])
  const weights = folded.tensors.get(folded.nodes[0]!.inputs[1]!)!.data
  t.same([weights![0], weights![9]], [0.5, 0.25])
})

t.test('fold-input-normalization: arithmetic of the model itself is folded too', async (t) => {
  const graph = graphOf((b, x) => {
    const shifted = b.node({ kind: 'binary', fn: 'sub' }, [x, b.constant(Float32Array.of(127), [1])], 's')
    const scaled = b.node({ kind: 'binary', fn: 'div' }, [shifted, b.constant(Float32Array.of(128), [1])], 'd')
    return conv1x1(b, scaled, 'c')
  })
  const folded = foldInputNormalization(graph, context)
  t.same(lines(folded), [
    'c: [1,2,8,8] = conv2d 1x1 (x, {0.0078125,0.0078125,0.0078125,0.0078125}, {-1.98438,-1.98438})',
    'return c',
  ])
})

t.test('fold-input-normalization: another reader of the picture and another number of means are refused', async (t) => {
  const pooled = graphOf((b, x) => b.maxPool(x, square(2), square(2)))
  await throwsCode(t, 'COMPILE_UNSUPPORTED', () => foldInputNormalization(pooled, context))
  const conv = graphOf((b, x) => conv1x1(b, x, 'c'))
  await throwsCode(t, 'USAGE', () => foldInputNormalization(conv, { ...context, mean: [1, 2, 3] }))
})

t.test('fuse-activation: ReLU, Clip and LeakyReLU merge into the convolution before them', async (t) => {
  for (const [activation, text] of [
    [{ fn: 'relu' }, 'relu'],
    [{ fn: 'clip', min: 0, max: 6 }, 'clip(0,6)'],
    [{ fn: 'clip', min: 0, max: Number.POSITIVE_INFINITY }, 'relu'],
    [{ fn: 'leakyRelu', slope: 0.1 }, 'leakyRelu(0.1)'],
  ] as const) {
    const graph = graphOf((b, x) => b.activation(conv1x1(b, x, 'c'), activation, 'a'))
    t.same(lines(fuseActivation(graph)), [`a: [1,2,8,8] = conv2d 1x1 activation=${text} (x, {1,1,1,1})`, 'return a'])
  }
})

t.test(
  'place-pads: stride 2 with padding 1 becomes stride 1 and a pick; SAME of TensorFlow a pad and a crop',
  async (t) => {
    const strided = (pads: [number, number, number, number]) =>
      graphOf((b, x) => {
        const [top, left, bottom, right] = pads
        const spec = { weights: filled(36), shape: [2, 2, 3, 3] as [number, number, number, number], stride: square(2) }
        return b.conv2d(x, { ...spec, pads: { top, left, bottom, right } }, 'c')
      })
    t.same(lines(placePads(strided([1, 1, 1, 1]))), [
      'c.full: [1,2,8,8] = conv2d 3x3 pads=1,1,1,1 (x, {2x2x3x3})',
      'c: [1,2,4,4] = pick stride=2 (c.full)',
      'return c',
    ])
    t.same(lines(placePads(strided([0, 0, 1, 1]))), [
      'c.pad: [1,2,9,9] = pad before=0,0,1,1 after=0,0,0,0 value=0 (x)',
      'c.full: [1,2,9,9] = conv2d 3x3 pads=1,1,1,1 (c.pad, {2x2x3x3})',
      'c.picked: [1,2,5,5] = pick stride=2 (c.full)',
      'c: [1,2,4,4] = pad before=0,0,-1,-1 after=0,0,0,0 value=0 (c.picked)',
      'return c',
    ])
  },
)

t.test('place-pads: a valid convolution is cropped, wide padding padded before', async (t) => {
  const spec = { weights: filled(36), shape: [2, 2, 3, 3] as [number, number, number, number] }
  t.same(lines(placePads(graphOf((b, x) => b.conv2d(x, spec, 'c')))), [
    'c.full: [1,2,8,8] = conv2d 3x3 pads=1,1,1,1 (x, {2x2x3x3})',
    'c: [1,2,6,6] = pad before=0,0,-1,-1 after=0,0,-1,-1 value=0 (c.full)',
    'return c',
  ])
  t.same(lines(placePads(graphOf((b, x) => b.conv2d(x, { ...spec, pads: evenPads(2) }, 'c')))), [
    'c.pad: [1,2,10,10] = pad before=0,0,1,1 after=0,0,1,1 value=0 (x)',
    'c: [1,2,10,10] = conv2d 3x3 pads=1,1,1,1 (c.pad, {2x2x3x3})',
    'return c',
  ])
})

t.test('planAxis: random sizes, pads and strides give the wanted number of outputs at the wanted places', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let i = 0; i < 2000; i++) {
    const same = random.integer(0, 1)
    const stride = [1, 2, 4][random.integer(0, 2)]!
    const size = random.integer(4, 40)
    const pads = [random.integer(0, 3), random.integer(0, 3)] as const
    const outputs = Math.floor((size + pads[0] + pads[1] - (2 * same + 1)) / stride) + 1
    const plan = planAxis(size, pads, same, stride)
    const made = Math.ceil((size + plan.before + plan.after) / stride)
    const firstCentre = plan.cropBefore * stride - plan.before
    const lastRow = (plan.cropBefore + outputs - 1) * stride + same
    const ok =
      made - plan.cropBefore - plan.cropAfter === outputs &&
      firstCentre === same - pads[0] &&
      lastRow <= size + plan.before + plan.after - 1 + same
    if (!ok || Math.min(...Object.values(plan)) < 0) t.fail(JSON.stringify({ same, stride, size, pads, plan }))
  }
  t.pass('all plans fit')
})

t.test('sink-picks and fuse-pool: a strided depthwise layer picks in the 1x1 layer behind it', async (t) => {
  const graph = graphOf((b, x) => {
    const depthwise = { weights: filled(18), shape: [2, 1, 3, 3] as [number, number, number, number], groups: 2 }
    const y = b.conv2d(x, { ...depthwise, stride: square(2), pads: evenPads(1) }, 'd')
    return conv1x1(b, y, 'c')
  })
  t.same(lines(fusePool(sinkPicks(placePads(graph)))), [
    'd.full: [1,2,8,8] = conv2d 3x3 pads=1,1,1,1 groups=2 (x, {2x1x3x3})',
    'c: [1,2,4,4] = conv2d 1x1 pool=leftTop2s2 (d.full, {1,1,1,1})',
    'return c',
  ])
})

t.test('fuse-pool: a pick of an odd map gets one explicit pad before its convolution', async (t) => {
  const graph = graphOf((b, x) => b.node({ kind: 'pick', stride: 2 }, [conv1x1(b, x, 'c')], 'p'), [1, 2, 15, 20])
  t.same(lines(fusePool(graph)), [
    'c.pad: [1,2,16,20] = pad before=0,0,0,0 after=0,0,1,0 value=0 (x)',
    'p: [1,2,8,10] = conv2d 1x1 pool=leftTop2s2 (c.pad, {1,1,1,1})',
    'return p',
  ])
})

t.test('fuse-pool: the five pools of the KPU merge, others stay', async (t) => {
  const cases = [
    [{ mode: 'max', kernel: square(2), stride: square(2) }, 'max2s2'],
    [{ mode: 'mean', kernel: square(2), stride: square(2) }, 'mean2s2'],
    [{ mode: 'max', kernel: square(4), stride: square(4) }, 'max4s4'],
    [{ mode: 'mean', kernel: square(4), stride: square(4) }, 'mean4s4'],
    [{ mode: 'max', kernel: square(2), stride: square(1), pads: { top: 0, left: 0, bottom: 1, right: 1 } }, 'max2s1'],
    [{ mode: 'max', kernel: square(2), stride: square(2), ceil: true }, 'max2s2'],
  ] as const
  for (const [fields, pool] of cases) {
    const graph = graphOf((b, x) => b.node(pool2dOp(fields), [conv1x1(b, x, 'c')], 'p'), [1, 2, 16, 16])
    t.match(lines(fusePool(graph))[0], `conv2d 1x1 pool=${pool} (x`)
  }
  const odd = graphOf(
    (b, x) => b.node(pool2dOp({ kernel: square(2), stride: square(2), ceil: true }), [conv1x1(b, x, 'c')], 'p'),
    [1, 2, 15, 16],
  )
  t.equal(fusePool(odd), odd, 'rounding up an odd map is not what the KPU does')
})

t.test('fuse-pool: a pool that cannot merge gets a 1x1 convolution of its own', async (t) => {
  const graph = graphOf((b, x) => {
    const y = conv1x1(b, x, 'c')
    return [y, b.maxPool(y, square(2), square(2), {}, 'p')]
  })
  t.same(lines(fusePool(graph)), [
    'c: [1,2,8,8] = conv2d 1x1 (x, {1,1,1,1})',
    'p: [1,2,4,4] = conv2d 1x1 pool=max2s2 (c, {1,0,0,1})',
    'return c, p',
  ])
})

t.test('assign-kpu: legal convolutions become KPU layers', async (t) => {
  const graph = graphOf((b, x) => {
    const depthwise = { weights: filled(18), shape: [2, 1, 3, 3] as [number, number, number, number], groups: 2 }
    return conv1x1(b, b.conv2d(x, { ...depthwise, pads: evenPads(1), activation: { fn: 'relu' } }, 'd'), 'c')
  })
  t.same(lines(assignKpu(graph)), [
    'd: [1,2,8,8] = kpuConv2d 3x3 depthwise activation=relu (x, {2x1x3x3})',
    'c: [1,2,8,8] = kpuConv2d 1x1 (d, {1,1,1,1})',
    'return c',
  ])
})

t.test('assign-kpu: one report names every node that has no place, with the limit it breaks', async (t) => {
  const graph = graphOf(
    (b, x) => {
      const wide = conv1x1(b, x, 'wide')
      const five = { weights: filled(100), shape: [2, 2, 5, 5] as [number, number, number, number] }
      const y = b.conv2d(wide, { ...five, pads: evenPads(2) }, 'five')
      return b.node({ kind: 'softmax', axis: 1 }, [y], 'soft')
    },
    [1, 2, 8, 600],
  )
  const error = await throwsCode(t, 'COMPILE_UNSUPPORTED', () => assignKpu(graph))
  t.match(error.what, /3 nodes/)
  t.match(error.what, /wide .*input width is 600; the KPU takes 4 to 512/)
  t.match(error.what, /five .*kernel is 5x5/)
  t.match(error.what, /soft \(softmax\)/)
  t.equal(error.where.nodes, 'wide,five,soft')
})

t.test(
  'place-transfers: copies stand between KPU and main memory; a result that both need is computed twice',
  async (t) => {
    const graph = graphOf((b, x) => {
      const layer = { kind: 'kpuConv2d', kernel: 1, depthwise: false, padValue: 0, pool: 'none' } as const
      const w = b.constant(filled(4), [2, 2, 1, 1])
      const conv = (from: string, name: string) => b.node({ ...layer, activation: { fn: 'none' } }, [from, w], name)
      const a = conv(x, 'a')
      const pad = { kind: 'pad', before: [0, 0, 0, 0], after: [0, 0, 1, 0], value: 0 } as const
      return [conv(a, 'b'), conv(b.node(pad, [a], 'p'), 'c')]
    })
    t.same(lines(placeTransfers(graph)), [
      'a@ram: uint8[1,2,8,8] = kpuConv2d 1x1 (x, {1,1,1,1})',
      'b@ram: uint8[1,2,8,8] = kpuConv2d 1x1 (a@ram, {1,1,1,1})',
      'b: uint8[1,2,8,8] = kpuDownload (b@ram)',
      'a@copy: uint8[1,2,8,8] = kpuConv2d 1x1 (x, {1,1,1,1})',
      'a: uint8[1,2,8,8] = kpuDownload (a@copy)',
      'p: [1,2,9,8] = pad before=0,0,0,0 after=0,0,1,0 value=0 (a)',
      'p@up: uint8[1,2,9,8] = kpuUpload (p)',
      'c@ram: uint8[1,2,9,8] = kpuConv2d 1x1 (p@up, {1,1,1,1})',
      'c: uint8[1,2,9,8] = kpuDownload (c@ram)',
      'return b, c',
    ])
  },
)

/** An SSD of two heads (3 and 2 priors, 2 classes) as exporters write it. */
function ssd(): Graph {
  return graphOf((b, x) => {
    const head = (from: string, channels: number, name: string) => {
      const map = b.conv2d(from, { weights: filled(channels * 2), shape: [channels, 2, 1, 1] }, name)
      const rows = b.node({ kind: 'transpose', perm: [0, 2, 3, 1] }, [map])
      const columns = name.startsWith('s') ? 2 : 4
      const count = b.shapeOf(rows).reduce((a, c) => a * c, 1) / columns
      return b.node({ kind: 'reshape', shape: [1, count, columns] }, [rows])
    }
    const small = b.maxPool(x, square(2), square(2))
    const join = (parts: string[]) => b.node({ kind: 'concat', axis: 1 }, parts)
    const scores = join([head(x, 6, 's0'), head(small, 4, 's1')])
    const boxes = join([head(x, 12, 'b0'), head(small, 8, 'b1')])
    const half = b.constant(Float32Array.of(0.5), [1])
    return [b.node({ kind: 'softmax', axis: 2 }, [scores]), b.node({ kind: 'binary', fn: 'mul' }, [boxes, half])]
  })
}

t.test('cut-heads: an SSD ends at its head maps; prior sizes come from the card', async (t) => {
  const heads = [
    { scores: 0, boxes: 0, stride: 1, minSizes: [1, 2, 3] },
    { scores: 0, boxes: 0, stride: 2, minSizes: [4, 5] },
  ]
  const thresholds = { scoreThreshold: 0.5, iouThreshold: 0.4, maxBoxes: 10 }
  const decoder = { kind: 'ssd', classes: 2, centreVariance: 0.1, sizeVariance: 0.2, heads, ...thresholds } as const
  const cut = cutHeads(ssd(), { ...context, decoder })
  checkGraph(cut)
  t.same(cut.outputs, ['s0', 'b0', 's1', 'b1'])
  t.same(cut.heads, {
    kind: 'ssd',
    classes: 2,
    heads: [
      { scores: 's0', boxes: 'b0', priors: 3 },
      { scores: 's1', boxes: 'b1', priors: 2 },
    ],
  })
  await throwsCode(t, 'COMPILE_UNSUPPORTED', () => cutHeads(ssd(), context), 'unknown prior sizes')
  const kept = ssd()
  t.equal(cutHeads(kept, { ...context, options: { ...context.options, keepHead: true } }), kept)
})

t.test('driver: the pass is named in the error and the graph is checked after it', async (t) => {
  const graph = graphOf((b, x) => conv1x1(b, x, 'c'))
  const breaks = { name: 'breaks', run: (g: Graph) => ({ ...g, outputs: ['nothing'] }) }
  try {
    await runPasses([breaks], graph, context)
    t.fail('must throw')
  } catch (error) {
    t.ok(isBridgeError(error, 'IR_INVALID'))
    t.match(error, { where: { pass: 'breaks' } })
  }
  const dumps: string[] = []
  const options = { ...context.options, dumpIr: (pass: string) => dumps.push(pass) }
  await runPasses([{ name: 'same', run: (g) => g }], graph, { ...context, options })
  t.same(dumps, ['same'])
  const aborted = AbortSignal.abort()
  await throwsCode(t, 'CANCELLED', () => runPasses([breaks], graph, { ...context, signal: aborted }))
})

t.test('placeBlocks: random blocks never overlap while both live, and stay near the lower bound', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let round = 0; round < 50; round++) {
    const blocks = Array.from({ length: random.integer(1, 30) }, (_, i) => {
      const birth = random.integer(0, 20)
      return { id: `b${i}`, size: random.integer(1, 100), birth, death: birth + random.integer(0, 5) }
    })
    const { offsets, peak, lowerBound } = placeBlocks(blocks, 8)
    if (peak < lowerBound) t.fail('peak below its bound')
    for (const a of blocks) {
      if (offsets.get(a.id)! % 8 !== 0) t.fail('unaligned')
      for (const b of blocks) {
        if (a.id >= b.id || a.death < b.birth || b.death < a.birth) continue
        const [x, y] = [offsets.get(a.id)!, offsets.get(b.id)!]
        if (x < y + b.size && y < x + a.size) t.fail(`${JSON.stringify(a)} and ${JSON.stringify(b)} overlap`)
      }
    }
  }
  t.pass('no overlap')
})
