// Writes decoders.json: quantized detector outputs and the boxes that every decoder must find in them.
// Straight double-precision arithmetic over lists, written from host/card/card.ts alone; shares no code with
// host/vision or firmware-shim. Run by hand (`node test/golden/decoders.generate.mjs`); tests never run it.
//
// Rules that the file pins down beyond card.ts:
// - a candidate has score >= scoreThreshold; a smaller score is no candidate;
// - order: score descending, ties by lower index; index order is yolov2 (anchor, y, x), ssd (head, prior, y, x);
// - ssd: one candidate a prior, the most probable class other than background; label = class - 1;
//   yolov2: label = most probable class (the first of equals), 0 when there are none;
// - a kept box suppresses a later one of the same label when IoU > iouThreshold; at most maxBoxes are kept;
// - x, y, w, h are top left and size in pixels of the network input, not clipped to it.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const sigmoid = (v) => 1 / (1 + Math.exp(-v))
const softmax = (values) => {
  const top = Math.max(...values)
  const powers = values.map((v) => Math.exp(v - top))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((p) => p / sum)
}
const clip = (v) => Math.min(1, Math.max(0, v))
const argMax = (values) => values.indexOf(Math.max(...values))

/** real(channel, y, x) of one output. */
function reader(spec, bytes) {
  const [, h, w] = spec.shape
  return (c, y, x) => {
    const i = (c * h + y) * w + x
    return spec.type === 'uint8' ? (bytes[i] - spec.zeroPoint) * spec.scale : bytes.readFloatLE(i * 4)
  }
}

function yolov2(card, maps) {
  const { decoder } = card
  const [, h, w] = card.outputs[0].shape
  const real = reader(card.outputs[0], maps[0])
  const found = []
  decoder.anchors.forEach(([aw, ah], a) => {
    const base = a * (5 + decoder.classes)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const at = (k) => real(base + k, y, x)
        const classes = Array.from({ length: decoder.classes }, (_, k) => at(5 + k))
        const share = decoder.classes > 1 ? Math.max(...softmax(classes)) : 1
        const bw = Math.exp(at(2)) * aw * decoder.stride
        const bh = Math.exp(at(3)) * ah * decoder.stride
        found.push({
          x: (x + sigmoid(at(0))) * decoder.stride - bw / 2,
          y: (y + sigmoid(at(1))) * decoder.stride - bh / 2,
          w: bw,
          h: bh,
          score: sigmoid(at(4)) * share,
          label: decoder.classes > 1 ? argMax(classes) : 0,
        })
      }
  })
  return found
}

function ssd(card, maps) {
  const { decoder, input } = card
  const found = []
  for (const head of decoder.heads) {
    const [, h, w] = card.outputs[head.scores].shape
    const scores = reader(card.outputs[head.scores], maps[head.scores])
    const boxes = reader(card.outputs[head.boxes], maps[head.boxes])
    head.minSizes.forEach((size, p) => {
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) {
          const share = softmax(Array.from({ length: decoder.classes }, (_, k) => scores(p * decoder.classes + k, y, x)))
          const label = argMax(share.slice(1))
          const prior = {
            cx: clip((x + 0.5) / w),
            cy: clip((y + 0.5) / h),
            w: clip(size / input.width),
            h: clip(size / input.height),
          }
          const at = (k) => boxes(p * 4 + k, y, x)
          const cx = prior.cx + at(0) * decoder.centreVariance * prior.w
          const cy = prior.cy + at(1) * decoder.centreVariance * prior.h
          const bw = prior.w * Math.exp(at(2) * decoder.sizeVariance)
          const bh = prior.h * Math.exp(at(3) * decoder.sizeVariance)
          found.push({
            x: (cx - bw / 2) * input.width,
            y: (cy - bh / 2) * input.height,
            w: bw * input.width,
            h: bh * input.height,
            score: share[label + 1],
            label,
          })
        }
    })
  }
  return found
}

function iou(a, b) {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y)
  if (w <= 0 || h <= 0) return 0
  return (w * h) / (a.w * a.h + b.w * b.h - w * h)
}

/** Greedy suppression; refuses cases that hang on rounding (score or IoU within 1e-5 of a threshold, near ties). */
function suppress(decoder, found, name) {
  const near = (what, v, limit) => {
    if (Math.abs(v - limit) < 1e-5) throw new Error(`${name}: ${what} ${v} is too near to ${limit}`)
  }
  for (const box of found) near('score', box.score, decoder.scoreThreshold)
  const order = found
    .map((box, index) => ({ box, index }))
    .filter(({ box }) => box.score >= decoder.scoreThreshold)
    .sort((a, b) => b.box.score - a.box.score || a.index - b.index)
  order.forEach(({ box }, i) => {
    const next = order[i + 1]?.box
    if (next && box.score !== next.score) near('score of a neighbour', box.score, next.score)
  })
  const kept = []
  for (const { box } of order) {
    const rivals = kept.filter((k) => k.label === box.label)
    for (const k of rivals) near('IoU', iou(k, box), decoder.iouThreshold)
    if (kept.length < decoder.maxBoxes && rivals.every((k) => iou(k, box) <= decoder.iouThreshold)) kept.push(box)
  }
  return { kept, candidates: order.length }
}

/** 32-bit linear congruential sequence (multiplier 1664525, increment 1013904223); returns the top byte. */
function bytesOf(seed) {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  }
}

/** A map of quiet background with `hot` channels raised in about one cell of `every`. */
function seeded(spec, next, hot, every) {
  const [c, h, w] = spec.shape
  const out = Buffer.alloc(c * h * w)
  for (let ch = 0; ch < c; ch++)
    for (let i = 0; i < h * w; i++) {
      const noise = next() >> 2
      const raised = next() % every === 0 ? 60 + (next() >> 2) : 0
      out[ch * h * w + i] = hot(ch) ? Math.min(255, 40 + noise + raised) : 96 + noise
    }
  return out
}

const u8 = (shape, scale, zeroPoint) => ({ name: '', shape, type: 'uint8', scale, zeroPoint })
const thresholds = (scoreThreshold, iouThreshold, maxBoxes) => ({ scoreThreshold, iouThreshold, maxBoxes })
const cases = []

function add(name, card, maps) {
  card.outputs.forEach((o, i) => {
    o.name = `out${i}`
  })
  const { kept, candidates } = suppress(card.decoder, { yolov2, ssd }[card.decoder.kind](card, maps), name)
  console.log(`${name}: ${candidates} candidates, ${kept.length} boxes`)
  const round = (v) => Number(v.toPrecision(9))
  const boxes = kept.map((b) => ({ x: round(b.x), y: round(b.y), w: round(b.w), h: round(b.h), score: round(b.score), label: b.label }))
  cases.push({ case: name, card, outputs: maps.map((m) => m.toString('hex')), candidates, boxes })
}

// By hand: one anchor of 2 x 1 cells of 32 px; code 128 is 0, so sigmoid 0.5 and exp 1: centre (1.5, 0.5) cells,
// box 64 x 32 at (16, 0); objectness (160 - 128) / 16 = 2, score 0.880797.
const hand = Buffer.alloc(5 * 2 * 2, 128)
hand.fill(64, 16)
hand[4 * 4 + 1] = 160
add(
  'yolov2: one cell, checked by hand',
  {
    input: { width: 64, height: 64 },
    decoder: { kind: 'yolov2', ...thresholds(0.5, 0.4, 8), classes: 0, stride: 32, anchors: [[2, 1]] },
    outputs: [u8([5, 2, 2], 0.0625, 128)],
  },
  [hand],
)
add(
  'yolov2: nothing reaches the threshold',
  {
    input: { width: 64, height: 64 },
    decoder: { kind: 'yolov2', ...thresholds(0.9, 0.4, 8), classes: 0, stride: 32, anchors: [[2, 1]] },
    outputs: [u8([5, 2, 2], 0.0625, 128)],
  },
  [hand],
)
const tie = Buffer.alloc(5 * 1 * 3, 128)
tie.fill(150, 12)
add(
  'yolov2: equal scores keep the lower index, maxBoxes stops the rest',
  {
    input: { width: 96, height: 32 },
    decoder: { kind: 'yolov2', ...thresholds(0.5, 0.3, 1), classes: 0, stride: 32, anchors: [[1.5, 1]] },
    outputs: [u8([5, 1, 3], 0.0625, 128)],
  },
  [tie],
)
const faceAnchors = [
  [1.603231, 2.094468],
  [6.041143, 7.080126],
  [2.882459, 3.518061],
  [4.266906, 5.178857],
  [9.041765, 10.66308],
]
const face = {
  input: { width: 320, height: 256 },
  decoder: { kind: 'yolov2', ...thresholds(0.4, 0.4, 64), classes: 0, stride: 32, anchors: faceAnchors },
  outputs: [u8([25, 8, 10], 0.0713, 121)],
}
add('yolov2: five anchors on a 10 x 8 grid, seed 7', face, [seeded(face.outputs[0], bytesOf(7), (c) => c % 5 === 4, 9)])
const classed = {
  input: { width: 96, height: 64 },
  decoder: { kind: 'yolov2', ...thresholds(0.25, 0.2, 32), classes: 3, stride: 16, anchors: [[1.2, 1.9], [3.1, 2.4]] },
  outputs: [u8([16, 4, 6], 0.0581, 118)],
}
add('yolov2: three classes, suppression by label, seed 12', classed, [
  seeded(classed.outputs[0], bytesOf(12), (c) => c % 8 >= 4, 4),
])
const floats = Buffer.alloc(25 * 2 * 3 * 4)
const nextFloat = bytesOf(29)
for (let i = 0; i < 25 * 6; i++) floats.writeFloatLE((nextFloat() - 128) / 50 + nextFloat() / 7919, i * 4)
add(
  'yolov2: float32 output, seed 29',
  {
    input: { width: 96, height: 64 },
    decoder: { kind: 'yolov2', ...thresholds(0.6, 0.4, 16), classes: 0, stride: 32, anchors: faceAnchors },
    outputs: [{ name: '', shape: [25, 2, 3], type: 'float32', scale: 1, zeroPoint: 0 }],
  },
  [floats],
)
// By hand: one prior of 16 px at the only cell of stride 32 in a 32 x 32 input: centre (16, 16), box 16 x 16 at (8, 8);
// logits 0 and (148 - 128) * 0.1 = 2, score sigmoid(2).
add(
  'ssd: one prior, checked by hand',
  {
    input: { width: 32, height: 32 },
    decoder: {
      kind: 'ssd',
      ...thresholds(0.7, 0.3, 8),
      classes: 2,
      centreVariance: 0.1,
      sizeVariance: 0.2,
      heads: [{ scores: 0, boxes: 1, stride: 32, minSizes: [16] }],
    },
    outputs: [u8([2, 1, 1], 0.1, 128), u8([4, 1, 1], 0.05, 128)],
  },
  [Buffer.from([128, 148]), Buffer.alloc(4, 128)],
)
// Four scales as in ULFD on a small input: 256 px priors are clipped to the input, heads come boxes first.
const scales = [
  [8, [10, 16, 24]],
  [16, [32, 48]],
  [32, [64, 96]],
  [64, [128, 192, 256]],
]
function ulfdLike(width, height, classes, scoreThreshold, seed) {
  const outputs = []
  const heads = scales.map(([stride, minSizes], i) => {
    const [h, w] = [Math.ceil(height / stride), Math.ceil(width / stride)]
    outputs.push(u8([minSizes.length * 4, h, w], 0.031 + i * 0.004, 125 + i))
    outputs.push(u8([minSizes.length * classes, h, w], 0.047 + i * 0.003, 110 - i))
    return { scores: 2 * i + 1, boxes: 2 * i, stride, minSizes }
  })
  const decoder = { kind: 'ssd', ...thresholds(scoreThreshold, 0.3, 48), classes, centreVariance: 0.1, sizeVariance: 0.2, heads }
  const next = bytesOf(seed)
  const maps = outputs.map((o, i) => seeded(o, next, (c) => i % 2 === 1 && c % classes !== 0, 7))
  return [{ input: { width, height }, decoder, outputs }, maps]
}
add('ssd: four scales on 80 x 60, seed 41', ...ulfdLike(80, 60, 2, 0.62, 41))
add('ssd: three classes, seed 58', ...ulfdLike(64, 64, 3, 0.5, 58))

const lines = cases.map((c) => JSON.stringify(c))
writeFileSync(fileURLToPath(new URL('decoders.json', import.meta.url)), `[\n${lines.join(',\n')}\n]\n`)
