import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** The script that makes a page of the OpenAPI document. */
export type Renderer = {
  /** Its bytes, compressed by gzip. */
  readonly gzipped: Uint8Array
  /** Names its content: another one has another name. */
  readonly digest: string
}

/** Loads the script in a thread of its own, so that nobody's payment waits for it. Rejects when it cannot be loaded. */
export const loadRenderer = async (): Promise<Renderer> => {
  const worker = new Worker(new URL('./renderer-worker.ts', import.meta.url))
  const [renderer] = await once(worker, 'message')
  return renderer
}
