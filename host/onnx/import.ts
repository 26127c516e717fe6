import { asBridgeError, BridgeError, isBridgeError } from '../foundation/errors.js'
import { GraphBuilder } from '../ir/builder.js'
import { checkGraph } from '../ir/check.js'
import type { Graph } from '../ir/graph.js'
import { elementCount, type Shape } from '../tensor/tensor.js'
import { activationImporters } from './ops/activation.js'
import { convImporters } from './ops/conv.js'
import { elementwiseImporters } from './ops/elementwise.js'
import { linearImporters } from './ops/linear.js'
import { poolImporters } from './ops/pool.js'
import { reduceImporters } from './ops/reduce.js'
import { resizeImporters } from './ops/resize.js'
import { shapeImporters } from './ops/shape.js'
import type { OnnxFile } from './reader.js'
import { readOnnx, toNumber } from './reader.js'
import type { OnnxNode, OnnxValueInfo } from './schema.js'
import { type Importer, ImportNode, UnsupportedUse } from './scope.js'
import { readTensor } from './tensors.js'

/** Every operator that can be imported. */
export const IMPORTERS: ReadonlyMap<string, Importer> = new Map(
  Object.entries<Importer>({
    ...convImporters,
    ...poolImporters,
    ...activationImporters,
    ...elementwiseImporters,
    ...linearImporters,
    ...shapeImporters,
    ...reduceImporters,
    ...resizeImporters,
  }),
)

/** How to read a model. */
export interface ImportOptions {
  /** Shapes that replace the file's, by input name. */
  readonly inputShapes?: Readonly<Record<string, Shape>>
  /** Tensors to end at instead of the file's outputs; what only later nodes need is not read. */
  readonly outputs?: readonly string[]
}

interface Refusal {
  readonly node: string
  readonly op: string
  readonly reason: string
}

/** Largest input that is believed: 16 Mi elements. */
const MAX_INPUT_ELEMENTS = 2 ** 24

function inputShape(info: OnnxValueInfo, options: ImportOptions): Shape {
  const name = info.name ?? ''
  const given = options.inputShapes?.[name]
  if (given) return given
  const dims = info.type?.tensorType?.shape?.dim ?? []
  const shape = dims.map((dim, axis) => {
    const size = toNumber(dim.dimValue)
    return axis === 0 && size <= 0 ? 1 : size
  })
  if (shape.length > 0 && shape.every((size) => size > 0) && elementCount(shape) <= MAX_INPUT_ELEMENTS) return shape
  throw new BridgeError('COMPILE_SHAPE', {
    what: `input ${name} has the shape [${shape}] (0 = not fixed)`,
    where: { input: name },
    fix: `Name its shape, for example --input-shape ${name}=1x3x240x320.`,
  })
}

/** The nodes that `outputs` depend on, in file order. */
function neededNodes(nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxNode[] {
  const wanted = new Set(outputs)
  const kept: OnnxNode[] = []
  for (const node of [...nodes].reverse()) {
    if (!node.output?.some((output) => wanted.has(output))) continue
    for (const input of node.input ?? []) wanted.add(input)
    kept.push(node)
  }
  return kept.reverse()
}

/** @throws BridgeError `NOT_FOUND` for a wanted output that no node makes */
function checkWanted(nodes: readonly OnnxNode[], wanted: readonly string[]): void {
  const made = new Set(nodes.flatMap((node) => node.output ?? []))
  const unknown = wanted.find((output) => !made.has(output))
  if (unknown === undefined) return
  throw new BridgeError('NOT_FOUND', {
    what: `the network makes no tensor ${unknown}`,
    where: { output: unknown },
    fix: 'Name tensors of the model file.',
  })
}

/** Walks the nodes in file order and keeps going after a refusal, so that one report names all of them. */
class ImportRun {
  readonly #builder: GraphBuilder
  readonly #aliases = new Map<string, string>()
  readonly #lost = new Set<string>()
  readonly #refusals: Refusal[] = []
  readonly #file: OnnxFile

  constructor(name: string, file: OnnxFile) {
    this.#builder = new GraphBuilder(name)
    this.#file = file
  }

  run(options: ImportOptions): Graph {
    const { graph } = this.#file
    for (const tensor of graph.initializer ?? []) {
      const { shape, data } = readTensor(tensor)
      this.#builder.constant(data, shape, tensor.name)
    }
    for (const info of graph.input ?? []) {
      // up to IR version 3 initializers are listed as inputs too
      if (!this.#builder.has(info.name ?? '')) this.#builder.input(info.name ?? '', inputShape(info, options))
    }
    checkWanted(graph.node ?? [], options.outputs ?? [])
    const outputs = options.outputs ?? (graph.output ?? []).map((output) => output.name ?? '')
    for (const node of neededNodes(graph.node ?? [], outputs)) this.#node(node)
    if (this.#refusals.length > 0) throw this.#report()
    for (const name of outputs) this.#builder.output(this.#aliases.get(name) ?? name)
    return this.#builder.build()
  }

  #node(node: OnnxNode): void {
    const outputs = node.output ?? []
    const importer = node.domain && node.domain !== 'ai.onnx' ? undefined : IMPORTERS.get(node.opType ?? '')
    if (!importer) {
      this.#refuse(node, `operator ${node.opType ?? '?'} is unknown`)
      return
    }
    if (node.input?.some((input) => this.#lost.has(input))) {
      for (const output of outputs) this.#lost.add(output)
      return
    }
    const scope = new ImportNode(node, this.#file.opset, this.#builder, this.#aliases)
    try {
      importer(scope)
    } catch (error) {
      if (error instanceof UnsupportedUse) this.#refuse(node, error.message)
      else throw located(error, scope)
    }
  }

  #refuse(node: OnnxNode, reason: string): void {
    const outputs = node.output ?? []
    this.#refusals.push({ node: node.name || outputs[0] || '?', op: node.opType ?? '?', reason })
    for (const output of outputs) this.#lost.add(output)
  }

  #report(): BridgeError {
    const { opset } = this.#file
    const lines = this.#refusals.map(({ node, op, reason }) => `${node} (${op}, opset ${opset}): ${reason}`)
    return new BridgeError('ONNX_UNSUPPORTED', {
      what: `${lines.length} nodes cannot be imported: ${lines.join('; ')}`,
      where: { nodes: this.#refusals.map(({ node }) => node).join(','), opset },
      fix: 'Export the model without these operators, or cut before them with --outputs.',
    })
  }
}

/** A fault inside one node: shapes stay what they are, anything else means that the file is damaged. */
function located(error: unknown, node: ImportNode): BridgeError {
  const where = { node: node.name, op: node.opType, opset: node.opset }
  if (isBridgeError(error, 'COMPILE_SHAPE') || isBridgeError(error, 'ONNX_FORMAT')) {
    return new BridgeError(error.code, {
      what: error.what,
      where: { ...error.where, ...where },
      fix: error.fix,
      cause: error,
    })
  }
  const what = `node ${node.name} (${node.opType}) is damaged: ${error instanceof Error ? error.message : error}`
  return new BridgeError('ONNX_FORMAT', {
    what,
    where,
    fix: 'Check that the file was copied completely.',
    cause: error,
  })
}

/**
 * Reads an ONNX file (opset 7 to 22) as IR; a dynamic batch axis becomes 1 and shape arithmetic is folded.
 * @param name - name of the graph, for texts
 * @throws BridgeError `ONNX_FORMAT` for damaged bytes, `ONNX_UNSUPPORTED` naming every node that cannot be imported,
 * `COMPILE_SHAPE` when an input's shape is open or shapes do not fit
 */
export function importOnnx(bytes: Uint8Array, name: string, options: ImportOptions = {}): Graph {
  const file = readOnnx(bytes)
  try {
    const graph = new ImportRun(name, file).run(options)
    checkGraph(graph)
    return graph
  } catch (error) {
    // whatever a damaged file breaks (two tensors of one name, a dangling input) is the file's fault
    if (isBridgeError(error) && error.code !== 'IR_INVALID') throw error
    throw asBridgeError(isBridgeError(error) ? error.cause : error, 'ONNX_FORMAT', {
      what: `the network is damaged: ${error instanceof Error ? error.message : error}`,
      fix: 'Check that the file was copied completely.',
    })
  }
}
