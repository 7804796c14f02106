import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The content of a file that only this user may read; null when it is not there. */
export const readSecretFile = async (file: string): Promise<string | null> => {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Writes it whole or not at all, mode 0600. */
export const writeSecretFile = async (file: string, content: string): Promise<void> => {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, `${content}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** Reads the secret, or makes it and keeps it: the same in every later run. */
export const keepSecret = async (file: string, make: () => string): Promise<string> => {
  const kept = await readSecretFile(file)
  if (kept) return kept
  const made = make()
  await writeSecretFile(file, made)
  return made
}
