/**
 * Says on standard output, once, that a process is ready: with `json` the one machine-readable line
 * `{"ready":true,…}` that scripts wait for, else one line for a person.
 */
export const announceReady = (options: {
  json: boolean
  text: string
  fields: Record<string, unknown>
}): void => {
  const line = { ready: true, ...options.fields }
  process.stdout.write(`${options.json ? JSON.stringify(line) : options.text}\n`)
}
