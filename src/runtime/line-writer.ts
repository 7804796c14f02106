import { write, writeSync } from 'node:fs'

/** How long lines are gathered, ms, and how many characters of them. */
const GATHERED_MS = 100
const GATHERED_CHARACTERS = 32_768
/** What may wait for a reader that does not read, in characters; further lines are lost. */
const MAX_WAITING_CHARACTERS = 67_108_864
/** The pause before another try while the reader is slow, ms, and how many tries the last lines get. */
const RETRY_MS = 10
const MAX_LAST_TRIES = 100

/** Writes lines to a file descriptor; what pino calls a destination. */
export type LineWriter = {
  readonly write: (line: string) => void
  /** Calls `done` when all that was written is out, or cannot go out because its reader is gone. */
  readonly flush: (done: () => void) => void
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY')

/**
 * Makes a writer that gathers lines for a moment and writes them together without blocking: a line costs its caller no
 * system call. When the process exits it writes what is left. When the reader of a pipe is gone, lines go nowhere and
 * nothing else happens: pino's own writer (sonic-boom 4.2.1) then repeats its last write for ever, and the process
 * never ends.
 */
export const createLineWriter = (fd: number): LineWriter => {
  let waiting = ''
  let inFlight: Buffer | null = null
  let timer: NodeJS.Timeout | null = null
  let isClosed = false
  let whenOut: (() => void)[] = []

  const writeLast = (): void => writeAtOnce(fd, waiting)

  const settle = (): void => {
    process.off('exit', writeLast)
    const callbacks = whenOut
    whenOut = []
    for (const done of callbacks) done()
  }

  const close = (): void => {
    isClosed = true
    waiting = ''
    inFlight = null
    settle()
  }

  const writeInFlight = (chunk: Buffer): void => {
    inFlight = chunk
    write(fd, chunk, (error, written) => {
      if (isBusy(error)) setTimeout(writeInFlight, RETRY_MS, chunk)
      else if (error !== null) close()
      else if (written < chunk.length) writeInFlight(chunk.subarray(written))
      else {
        inFlight = null
        writeWaiting()
      }
    })
  }

  const writeWaiting = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (inFlight !== null) return
    if (waiting === '') return settle()
    const chunk = Buffer.from(waiting)
    waiting = ''
    writeInFlight(chunk)
  }

  const add = (line: string): void => {
    if (isClosed || waiting.length > MAX_WAITING_CHARACTERS) return
    if (waiting === '' && inFlight === null) process.on('exit', writeLast)
    waiting += line
    if (waiting.length >= GATHERED_CHARACTERS) writeWaiting()
    else timer ??= setTimeout(writeWaiting, GATHERED_MS).unref()
  }

  const flush = (done: () => void): void => {
    whenOut.push(done)
    writeWaiting()
  }

  return { write: add, flush }
}

/** Writes the text before it returns; gives up when the reader is gone, or slow for a second. */
const writeAtOnce = (fd: number, text: string): void => {
  let rest = Buffer.from(text)
  for (let tries = 0; rest.length > 0 && tries < MAX_LAST_TRIES; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (!isBusy(error)) return
      tries += 1
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}
