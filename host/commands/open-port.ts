import type { DemoScene } from '../jobs/demo-scene.js'
import { demoScene } from '../jobs/demo-scene.js'
import { createPortOpener } from '../port/open.js'
import type { Port, PortOpener } from '../port/port.js'
import type { BoardOptions, VirtualBoard } from '../virtual-board/board.js'
import { createWorkerBoard } from '../virtual-board/worker-board.js'

let scene: Promise<DemoScene> | undefined

/** The demo's scene, decoded once a process. */
export function sharedScene(): Promise<DemoScene> {
  scene ??= demoScene()
  return scene
}

/**
 * Opens `virtual:` ports, each a board of its own that lives until the process ends, so that a port can be closed and
 * opened again as with a real board. Query: `faults=...`, `flash=FILE`, `pace=real|fast`.
 */
export class VirtualBoards {
  private readonly boards = new Map<string, Promise<VirtualBoard>>()

  readonly open: PortOpener = async (url, options): Promise<Port> => {
    const board = this.boards.get(url) ?? this.create(url, await boardOptions(url))
    return (await board).port({ url, ...options })
  }

  /** Makes the board of a URL before anybody opens it. */
  create(url: string, options: BoardOptions): Promise<VirtualBoard> {
    const board = createWorkerBoard(options)
    this.boards.set(url, board)
    return board
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.boards.values()].map(async (board) => (await board).close()))
    this.boards.clear()
  }
}

async function boardOptions(url: string): Promise<BoardOptions> {
  const query = new URLSearchParams(url.split('?')[1] ?? '')
  return {
    pace: query.get('pace') === 'fast' ? 'fast' : 'real',
    faults: query.get('faults') ?? undefined,
    flashFile: query.get('flash') ?? undefined,
    camera: { kind: 'scene', ...(await sharedScene()) },
  }
}

/** Every scheme that this process can open. */
export function commandPortOpener(virtual: VirtualBoards): PortOpener {
  return createPortOpener({ virtual: virtual.open })
}
