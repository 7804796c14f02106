import { readXml } from './read-xml.ts'

/** Whether a workbook counts its days from 1904, as Excel of the Macintosh did, and not from 1900. */
export const countsFrom1904 = async (chunks: AsyncIterable<Buffer>): Promise<boolean> => {
  let does = false
  const handler = {
    open: (name: string, attributes: Readonly<Record<string, string>>) => {
      if (name === 'workbookPr') does = ['1', 'true'].includes(attributes['date1904'] ?? '')
    },
    text: () => undefined,
    close: () => undefined,
  }
  for await (const _ of readXml(chunks, handler)) continue
  return does
}
