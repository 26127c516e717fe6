import { BridgeError } from '../foundation/errors.js'
import { type Graph, tensorOf } from '../ir/graph.js'
import type { MapShape } from '../tensor/tensor.js'

/** Channels, height and width of a tensor [1, C, H, W]. @throws BridgeError `COMPILE_SHAPE` for anything else */
export function mapShape(graph: Graph, name: string): MapShape {
  const { shape } = tensorOf(graph, name)
  const [batch, channels, height, width] = shape
  if (shape.length !== 4 || batch !== 1) {
    throw new BridgeError('COMPILE_SHAPE', {
      what: `${name} has the shape [${shape}]; maps are [1, C, H, W]`,
      where: { tensor: name },
      fix: 'Compile the network with a batch of one.',
    })
  }
  return { channels: channels!, height: height!, width: width! }
}

/** Elements of a map. */
export const mapElements = ({ channels, height, width }: MapShape): number => channels * height * width
