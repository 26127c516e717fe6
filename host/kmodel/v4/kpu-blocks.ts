import { BridgeError } from '../../foundation/errors.js'
import { ACTIVATION_BYTES } from '../../kpu/activation-table.js'
import { BATCH_NORM_BYTES } from '../../kpu/batch-norm.js'
import { decodeLayer, encodeLayer, type KpuLayer, LAYER_BYTES } from '../../kpu/layer-words.js'
import type { FieldKind } from '../fields.js'

/** A KPU layer with its tables, as both kmodel versions hold it. */
export interface KpuBlocks {
  /** The three table addresses are 0: containers keep gaps or offsets there. */
  readonly layer: KpuLayer
  /** 8 bytes an output channel. */
  readonly batchNorm: Uint8Array
  /** 144 bytes. */
  readonly activation: Uint8Array
  /** [oc][ic][ky][kx] or depthwise [c][ky][kx], 8 or 16 bit little endian. */
  readonly weights: Uint8Array
}

/** Absolute file offsets of BN, activation and weight blocks in a kmodel v4. */
const BLOCK_ALIGNMENT = 256

/** Bytes of a layer's weights. @throws BridgeError `KMODEL_INVALID` on an unknown kernel type */
export function weightBytesOf(layer: KpuLayer, weightBits: 8 | 16, offset: number): number {
  if (layer.kernelType > 1) {
    throw new BridgeError('KMODEL_INVALID', {
      what: `KPU kernel type ${layer.kernelType} is neither 0 (1x1) nor 1 (3x3)`,
      where: { offset },
      fix: 'The file is damaged or was made for another chip.',
    })
  }
  const taps = layer.kernelType === 1 ? 9 : 1
  return taps * layer.oChNum * (layer.depthWiseLayer ? 1 : layer.iChNum) * (weightBits / 8)
}

/** The layer with its table addresses cleared. */
export const withoutAddresses = (layer: KpuLayer): KpuLayer => ({
  ...layer,
  bwsxBaseAddr: 0,
  activeAddr: 0,
  paraStartAddr: 0,
})

/**
 * Reserved word, twelve layer words, BN, activation, weights. The address fields hold the gap before each block;
 * the writer chooses gaps so that each block begins at a multiple of 256 in the file. Source: kmodel-v4.md section 3.
 */
export const kpuBlocks: FieldKind<KpuBlocks> = {
  read(r) {
    r.take(4)
    const at = r.take(LAYER_BYTES)
    const layer = decodeLayer(r.file, at)
    const weightBytes = weightBytesOf(layer, 8, at)
    const block = (gap: number, bytes: number): Uint8Array => {
      r.take(gap)
      return r.bytes(bytes)
    }
    const batchNorm = block(layer.bwsxBaseAddr, layer.oChNum * BATCH_NORM_BYTES)
    const activation = block(layer.activeAddr, ACTIVATION_BYTES)
    const weights = block(layer.paraStartAddr, weightBytes)
    return { layer: withoutAddresses(layer), batchNorm, activation, weights }
  },
  write(w, value) {
    w.u32(0)
    const gapFrom = (offset: number): number => (BLOCK_ALIGNMENT - (offset % BLOCK_ALIGNMENT)) % BLOCK_ALIGNMENT
    const layerEnd = w.offset + LAYER_BYTES
    const bwsxBaseAddr = gapFrom(layerEnd)
    const activeAddr = gapFrom(layerEnd + bwsxBaseAddr + value.batchNorm.length)
    const paraStartAddr = gapFrom(ACTIVATION_BYTES)
    w.bytes(encodeLayer({ ...value.layer, bwsxBaseAddr, activeAddr, paraStartAddr }))
    for (const block of [value.batchNorm, value.activation, value.weights]) {
      w.align(BLOCK_ALIGNMENT)
      w.bytes(block)
    }
  },
}
