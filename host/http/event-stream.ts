import type { FastifyReply } from 'fastify'
import { HTTP_LIMITS } from './services.js'

/** One server-sent-events response. A slow reader gets the newest event of each kind, never a growing queue. */
export class EventStream {
  private readonly waiting = new Map<string, string>()
  private blocked = false
  private readonly keepAlive: NodeJS.Timeout

  constructor(
    private readonly reply: FastifyReply,
    onClose: () => void,
  ) {
    reply.hijack()
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    reply.raw.write('retry: 1000\n\n')
    reply.raw.on('drain', () => this.flush())
    this.keepAlive = setInterval(() => {
      if (!this.blocked) reply.raw.write(': keep-alive\n\n')
    }, HTTP_LIMITS.keepAliveMs)
    reply.raw.once('close', () => {
      clearInterval(this.keepAlive)
      onClose()
    })
  }

  /** Sends now, or when the reader keeps up again; then only the newest event of this kind. */
  send(event: string, data: unknown): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
    if (this.blocked) this.waiting.set(event, text)
    else this.blocked = !this.reply.raw.write(text)
  }

  /** Sends without skipping: for the short history at the start. */
  sendAll(event: string, data: unknown): void {
    this.blocked = !this.reply.raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  end(): void {
    clearInterval(this.keepAlive)
    this.reply.raw.end()
  }

  private flush(): void {
    this.blocked = false
    for (const [event, text] of this.waiting) {
      this.waiting.delete(event)
      if (!this.reply.raw.write(text)) {
        this.blocked = true
        return
      }
    }
  }
}
