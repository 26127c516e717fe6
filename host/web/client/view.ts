import type { Detection } from './api.js'

const canvas = document.querySelector<HTMLCanvasElement>('#view')!
const context = canvas.getContext('2d')!
/** The canvas has this many pixels per camera pixel, so that lines stay thin. */
const ZOOM = 3

/** Draws one picture and the boxes that the board found on this very frame. */
export async function drawFrame(picture: Blob, detections: readonly Detection[]): Promise<void> {
  const bitmap = await createImageBitmap(picture)
  if (canvas.width !== bitmap.width * ZOOM) {
    canvas.width = bitmap.width * ZOOM
    canvas.height = bitmap.height * ZOOM
  }
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  for (const detection of detections) drawBox(detection)
}

function drawBox({ box: [x, y, w, h], score, label }: Detection): void {
  context.lineWidth = 3
  context.strokeStyle = '#5cf0a8'
  context.strokeRect(x * ZOOM, y * ZOOM, w * ZOOM, h * ZOOM)
  const text = `${label ?? 'face'} ${score.toFixed(2)}`
  context.font = '600 20px system-ui, sans-serif'
  const top = Math.max(0, y * ZOOM - 26)
  context.fillStyle = 'rgba(8, 40, 26, 0.8)'
  context.fillRect(x * ZOOM - 1, top, context.measureText(text).width + 14, 26)
  context.fillStyle = '#d9ffec'
  context.fillText(text, x * ZOOM + 6, top + 19)
}
