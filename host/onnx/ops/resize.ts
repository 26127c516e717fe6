import { type Importer, type ImportNode, UnsupportedUse } from '../scope.js'

/** Output height and width: from sizes, or scales rounded down. */
function outputSize(node: ImportNode, scales: readonly number[] | undefined, sizes: readonly number[] | undefined) {
  const shape = node.shape(0)
  if (sizes?.length === 4) return { height: sizes[2]!, width: sizes[3]! }
  if (scales?.length !== 4) throw new UnsupportedUse('neither four scales nor four sizes')
  return { height: Math.floor(shape[2]! * scales[2]!), width: Math.floor(shape[3]! * scales[3]!) }
}

const resize: Importer = (node) => {
  const mode = node.string('mode', 'nearest')
  const transform = node.string('coordinate_transformation_mode', node.opset < 11 ? 'asymmetric' : 'half_pixel')
  const old = node.opset < 11
  const scales = node.hasInput(old ? 1 : 2) ? node.numbers('scales', old ? 1 : 2) : undefined
  const sizes = node.hasInput(3) ? node.numbers('sizes', 3) : undefined
  const size = outputSize(node, scales?.length === 4 ? scales : undefined, sizes)
  if (mode === 'linear' && transform === 'half_pixel') {
    node.emit({ kind: 'resize', mode: 'bilinear', ...size }, [node.input(0)])
    return
  }
  const shape = node.shape(0)
  const whole = size.height % shape[2]! === 0 && size.width % shape[3]! === 0
  // whole factors: every coordinate rule picks the same pixels
  if (mode !== 'nearest' || !whole) throw new UnsupportedUse(`mode ${mode} with ${transform}`)
  node.emit({ kind: 'resize', mode: 'nearest', ...size }, [node.input(0)])
}

const upsample: Importer = (node) => {
  const mode = node.string('mode', 'nearest')
  if (mode !== 'nearest') throw new UnsupportedUse(`mode ${mode}`)
  const scales = node.hasInput(1) ? node.numbers('scales', 1) : node.floats('scales')
  node.emit({ kind: 'resize', mode: 'nearest', ...outputSize(node, scales, undefined) }, [node.input(0)])
}

/** Enlarging and shrinking. */
export const resizeImporters = { Resize: resize, Upsample: upsample } satisfies Record<string, Importer>
