import { StringDecoder } from 'node:string_decoder'
import sax, { type QualifiedAttribute, type QualifiedTag, type SAXParser, type Tag } from 'sax'
import { StatementError } from './statement-error.ts'

/** What is made of the parts of an XML file as they come; attributes by name. */
export type XmlHandler = {
  open: (name: string, attributes: Readonly<Record<string, string>>) => void
  text: (text: string) => void
  close: (name: string) => void
}

/**
 * Reads XML chunk by chunk, and yields after each, when the handler has seen all of it. Entities are those of XML itself: a
 * document that declares its own (a "billion laughs", a file of this machine) is refused. Throws `StatementError`.
 */
export async function* readXml(chunks: AsyncIterable<Buffer>, handler: XmlHandler): AsyncGenerator<void> {
  const xml = createParser(handler)
  const decoder = new StringDecoder('utf8')
  for await (const chunk of chunks) {
    xml.write(decoder.write(chunk))
    yield
  }
  xml.write(decoder.end())
  xml.close()
  yield
}

const createParser = (handler: XmlHandler): SAXParser => {
  const xml = sax.parser(true)
  const refuse = (problem: string): never => {
    throw new StatementError(problem)
  }
  return Object.assign(xml, {
    ondoctype: () => refuse('the XLSX declares entities of its own, which no export does'),
    onerror: () =>
      refuse('the XLSX is broken: its XML ends or goes on as none does. Export the statement again'),
    onopentag: ({ name, attributes }: Tag | QualifiedTag) =>
      handler.open(localName(name), toTexts(attributes)),
    onclosetag: (name: string) => handler.close(localName(name)),
    ontext: handler.text,
    oncdata: handler.text,
  })
}

/** Some writers put a prefix before every name. */
const localName = (name: string): string => name.slice(name.indexOf(':') + 1)

const toTexts = (attributes: Readonly<Record<string, string | QualifiedAttribute>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : value.value,
    ]),
  )
