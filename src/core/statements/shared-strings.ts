import { readXml } from './read-xml.ts'
import { LONGEST_CELL } from './rows.ts'
import { StatementError } from './statement-error.ts'

/** Characters of all texts at most: they are held in memory. */
const MOST_CHARACTERS = 64 * 1024 ** 2

/** Texts at most, each of which takes memory beside its characters. */
const MOST_TEXTS = 4_000_000

/** The texts that the cells of a workbook share, by number. Throws `StatementError` for more than fit into memory. */
export const readSharedStrings = async (chunks: AsyncIterable<Buffer>): Promise<string[]> => {
  const texts: string[] = []
  let characters = 0
  let text = ''
  // A text of several runs; how a text is pronounced is no part of it.
  let isText = false
  let isPronunciation = false
  const handler = {
    open: (name: string) => {
      if (name === 'si') text = ''
      isText = name === 't'
      if (name === 'rPh') isPronunciation = true
    },
    text: (part: string) => {
      if (isText && !isPronunciation) text = (text + part).slice(0, LONGEST_CELL)
    },
    close: (name: string) => {
      isText = false
      if (name === 'rPh') isPronunciation = false
      if (name !== 'si') return
      texts.push(text)
      characters += text.length
      if (characters > MOST_CHARACTERS || texts.length > MOST_TEXTS) {
        throw new StatementError(
          'the XLSX holds more text than fits into memory: export the statement as CSV',
        )
      }
    },
  }
  for await (const _ of readXml(chunks, handler)) continue
  return texts
}
