import { Type } from '@fastify/type-provider-typebox'
import type { BoardView, DetectionEvent } from '../device/events.js'

/** Shapes of requests and answers; keys that clients rely on (design section 4). */
export const BoardId = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })

/** One box that a board found. */
export const Detection = Type.Unsafe<DetectionEvent>(
  Type.Object({
    box: Type.Tuple([Type.Number(), Type.Number(), Type.Number(), Type.Number()], {
      description: 'x, y (top left), width, height in picture pixels',
    }),
    score: Type.Number(),
    label: Type.Optional(Type.String()),
  }),
)

/** A board as GET /boards shows it. */
export const Board = Type.Unsafe<BoardView>(
  Type.Object(
    {
      id: Type.String(),
      port: Type.String(),
      state: Type.String({ description: 'absent, rom, stub, booting, running, lost or quarantined' }),
      firmware: Type.Union([
        Type.Object({ version: Type.String(), buildId: Type.String(), board: Type.String() }),
        Type.Null(),
      ]),
      memory: Type.Union([Type.Object({ freeBytes: Type.Number(), limitBytes: Type.Number() }), Type.Null()]),
      models: Type.Array(
        Type.Object({
          slot: Type.Number(),
          name: Type.String(),
          sha256: Type.String(),
          bytes: Type.Number(),
          state: Type.String(),
          problem: Type.Optional(Type.String()),
        }),
      ),
      lastFrameId: Type.Union([Type.Number(), Type.Null()], { description: 'frame of the newest result' }),
      link: Type.Record(Type.String(), Type.Number()),
      note: Type.String(),
    },
    { additionalProperties: true },
  ),
)

/** A stored file. */
export const Artifact = Type.Object({
  sha256: Type.String(),
  bytes: Type.Number(),
  kind: Type.String(),
  name: Type.String(),
})

/** Names an artifact. */
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of an uploaded artifact' })

/** Long work and how far it is. */
export const Job = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    state: Type.String({ description: 'queued, running, done, failed or cancelled' }),
    progress: Type.Number({ description: '0..1 of the present stage' }),
    stage: Type.String(),
    etaMs: Type.Union([Type.Number(), Type.Null()]),
  },
  { additionalProperties: true },
)

/** Answer to a request that starts or asks for work. */
export const JobAnswer = Type.Object({ job: Job })

/** Body of POST /compile. */
export const CompileRequest = Type.Object({
  model: Sha256,
  calibration: Type.Optional(Type.Union([Type.Array(Sha256, { maxItems: 2000 }), Type.Object({ dir: Type.String() })])),
  card: Type.Optional(Sha256),
  options: Type.Optional(
    Type.Object(
      {
        name: Type.Optional(Type.String({ maxLength: 64 })),
        mean: Type.Optional(Type.Array(Type.Number(), { maxItems: 3 })),
        std: Type.Optional(Type.Array(Type.Number(), { maxItems: 3 })),
        method: Type.Optional(Type.Union([Type.Literal('minmax'), Type.Literal('mse')])),
        samples: Type.Optional(Type.Integer({ minimum: 1, maximum: 2000 })),
        keepHead: Type.Optional(Type.Boolean()),
        outputs: Type.Optional(Type.Array(Type.String())),
        inputShape: Type.Optional(Type.Record(Type.String(), Type.Array(Type.Integer({ minimum: 1 })))),
      },
      { additionalProperties: false },
    ),
  ),
})

/** Body of POST /boards/{id}/flash. */
export const FlashRequest = Type.Object({
  items: Type.Array(Type.Object({ artifact: Sha256, at: Type.Optional(Type.Integer({ minimum: 0 })) }), {
    minItems: 1,
    maxItems: 16,
  }),
  verify: Type.Optional(Type.Boolean()),
  erase: Type.Optional(Type.Boolean()),
  dryRun: Type.Optional(Type.Boolean()),
  force: Type.Optional(Type.Boolean({ description: 'write a damaged firmware image too' })),
  baud: Type.Optional(Type.Integer({ minimum: 9600, maximum: 8_000_000 })),
})

/** Body of POST /boards/{id}/models. */
export const DeployRequest = Type.Object({
  artifact: Sha256,
  card: Type.Optional(Sha256),
  slot: Type.Integer({ minimum: 0, maximum: 3 }),
  name: Type.Optional(Type.String({ maxLength: 31 })),
})

/** Body of PUT /boards/{id}/config. */
export const BoardConfig = Type.Object({
  slot: Type.Optional(Type.Integer({ minimum: 0, maximum: 3 })),
  results: Type.Optional(Type.Boolean()),
  pictureEvery: Type.Optional(Type.Integer({ minimum: 0, maximum: 255, description: '0: no pictures' })),
  quality: Type.Optional(Type.Integer({ minimum: 10, maximum: 95 })),
  scoreThreshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: "0: the card's" })),
})
