import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { bundleGateway, makeBundle } from './bundle/make.ts'

// `node scripts/bundle.ts [folder]`: makes few files of the gateway and of all that it imports, which start in less than
// half of the CPU that the sources take, and prints which one to start. Without a folder they are where `npm run gateway`
// looks for them; a deployment makes them in `dist`, beside `src`.

const ROOT = resolve(import.meta.dirname, '..')

const makeIn = async (folder: string): Promise<string> => {
  await rm(folder, { recursive: true, force: true })
  return makeBundle(ROOT, folder)
}

const [folder] = process.argv.slice(2)
process.stdout.write(`${folder === undefined ? await bundleGateway(ROOT) : await makeIn(resolve(folder))}\n`)
