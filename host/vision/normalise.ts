import { BridgeError } from '../foundation/errors.js'
import type { PlanarPicture } from '../tensor/tensor.js'

/**
 * Picture to the float network's input: (pixel - mean) / std per channel.
 * @param picture - planar, in the network's channel order and size
 * @param rule - one mean and one std a channel, in pixel units 0..255 (a card's `input`)
 * @returns float32 [channels, height, width]
 * @throws BridgeError `CARD_INVALID` when mean or std do not have one value a channel
 */
export function normalise(
  picture: PlanarPicture,
  rule: { readonly mean: readonly number[]; readonly std: readonly number[] },
): Float32Array {
  const { channels, width, height, data } = picture
  if (rule.mean.length !== channels || rule.std.length !== channels) {
    throw new BridgeError('CARD_INVALID', {
      what: `input.mean and input.std have ${rule.mean.length} and ${rule.std.length} values for ${channels} channels`,
      where: { path: 'input.mean' },
    })
  }
  const plane = width * height
  const real = new Float32Array(channels * plane)
  for (let channel = 0; channel < channels; channel++) {
    const mean = rule.mean[channel]!
    const std = rule.std[channel]!
    const end = (channel + 1) * plane
    for (let i = channel * plane; i < end; i++) real[i] = (data[i]! - mean) / std
  }
  return real
}
