import protobuf from 'protobufjs/light.js'

/**
 * The part of the ONNX model format that reader and writer use. Field numbers and types are facts of the format
 * (onnx.proto3 of the ONNX standard, IR version 3 and later); what is absent here is skipped on reading.
 */
const descriptor = {
  nested: {
    Dimension: {
      oneofs: { value: { oneof: ['dimValue', 'dimParam'] } },
      fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } },
    },
    TensorShape: { fields: { dim: { rule: 'repeated', type: 'Dimension', id: 1 } } },
    TensorType: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'TensorShape', id: 2 } } },
    ValueType: { fields: { tensorType: { type: 'TensorType', id: 1 } } },
    ValueInfo: { fields: { name: { type: 'string', id: 1 }, type: { type: 'ValueType', id: 2 } } },
    Tensor: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1 },
        dataType: { type: 'int32', id: 2 },
        floatData: { rule: 'repeated', type: 'float', id: 4 },
        int32Data: { rule: 'repeated', type: 'int32', id: 5 },
        int64Data: { rule: 'repeated', type: 'int64', id: 7 },
        name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 },
        doubleData: { rule: 'repeated', type: 'double', id: 10 },
        dataLocation: { type: 'int32', id: 14 },
      },
    },
    Attribute: {
      fields: {
        name: { type: 'string', id: 1 },
        f: { type: 'float', id: 2 },
        i: { type: 'int64', id: 3 },
        s: { type: 'bytes', id: 4 },
        t: { type: 'Tensor', id: 5 },
        floats: { rule: 'repeated', type: 'float', id: 7 },
        ints: { rule: 'repeated', type: 'int64', id: 8 },
        strings: { rule: 'repeated', type: 'bytes', id: 9 },
        type: { type: 'int32', id: 20 },
      },
    },
    Node: {
      fields: {
        input: { rule: 'repeated', type: 'string', id: 1 },
        output: { rule: 'repeated', type: 'string', id: 2 },
        name: { type: 'string', id: 3 },
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'Attribute', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    Graph: {
      fields: {
        node: { rule: 'repeated', type: 'Node', id: 1 },
        name: { type: 'string', id: 2 },
        initializer: { rule: 'repeated', type: 'Tensor', id: 5 },
        input: { rule: 'repeated', type: 'ValueInfo', id: 11 },
        output: { rule: 'repeated', type: 'ValueInfo', id: 12 },
      },
    },
    OperatorSet: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    Model: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        producerName: { type: 'string', id: 2 },
        producerVersion: { type: 'string', id: 3 },
        graph: { type: 'Graph', id: 7 },
        opsetImport: { rule: 'repeated', type: 'OperatorSet', id: 8 },
      },
    },
  },
}

/** Message type of a whole ONNX file. */
export const ModelType: protobuf.Type = protobuf.Root.fromJSON(descriptor).lookupType('Model')

/** Element type codes of `Tensor.dataType`. */
export const ELEMENT = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
} as const

/** Kind codes of `Attribute.type`. */
export const ATTRIBUTE = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7, strings: 8 } as const

/** A 64-bit number as protobufjs hands it out. */
export type Int64 = number | { toNumber(): number }

/** Decoded messages; every field may be absent in a damaged file. */
export interface OnnxTensor {
  readonly dims?: readonly Int64[]
  readonly dataType?: number
  readonly floatData?: readonly number[]
  readonly int32Data?: readonly number[]
  readonly int64Data?: readonly Int64[]
  readonly doubleData?: readonly number[]
  readonly name?: string
  readonly rawData?: Uint8Array
  readonly dataLocation?: number
}

/** One attribute of a node. */
export interface OnnxAttribute {
  readonly name?: string
  readonly f?: number
  readonly i?: Int64
  readonly s?: Uint8Array
  readonly t?: OnnxTensor
  readonly floats?: readonly number[]
  readonly ints?: readonly Int64[]
  readonly strings?: readonly Uint8Array[]
  readonly type?: number
}

/** One operator. */
export interface OnnxNode {
  readonly input?: readonly string[]
  readonly output?: readonly string[]
  readonly name?: string
  readonly opType?: string
  readonly attribute?: readonly OnnxAttribute[]
  readonly domain?: string
}

/** Name, element type and shape of an input or output. */
export interface OnnxValueInfo {
  readonly name?: string
  readonly type?: {
    readonly tensorType?: {
      readonly elemType?: number
      readonly shape?: { readonly dim?: readonly { readonly dimValue?: Int64; readonly dimParam?: string }[] }
    }
  }
}

/** The network. */
export interface OnnxGraph {
  readonly node?: readonly OnnxNode[]
  readonly name?: string
  readonly initializer?: readonly OnnxTensor[]
  readonly input?: readonly OnnxValueInfo[]
  readonly output?: readonly OnnxValueInfo[]
}

/** A whole file. */
export interface OnnxModel {
  readonly irVersion?: Int64
  readonly producerName?: string
  readonly graph?: OnnxGraph
  readonly opsetImport?: readonly { readonly domain?: string; readonly version?: Int64 }[]
}
