import { decodeBinaryHeader, type HandlerContext } from '@connectrpc/connect'
import { parseName } from '../../values/name.ts'
import { invalidField } from './errors.ts'

// Metadata is printable ASCII, which has not every name of a person: `Wanjikũ`. What gRPC has for the rest is a key that
// ends in `-bin`, whose bytes its clients encode by themselves (https://grpc.io/docs/guides/metadata/).

const KEY = 'x-operator'
const BINARY_KEY = 'x-operator-bin'

const MOST_CHARACTERS = 100

/** The person whom a service names as the one behind its call; null: nobody. Throws INVALID_ARGUMENT for no name. */
export const namedOperator = ({ requestHeader }: Pick<HandlerContext, 'requestHeader'>): string | null => {
  const plain = readPlain(requestHeader.get(KEY)?.trim() ?? '')
  const binary = readBinary(requestHeader.get(BINARY_KEY)?.trim() ?? '')
  if (plain !== null && binary !== null && plain !== binary)
    throw invalidField(BINARY_KEY, `must name the same operator as ${KEY}, or one of them be left out`)
  return plain ?? binary
}

const readPlain = (text: string): string | null => {
  if (text === '') return null
  if (text.length > MOST_CHARACTERS || !/^[\x20-\x7e]+$/.test(text))
    throw invalidField(
      KEY,
      `must be at most ${MOST_CHARACTERS} printable ASCII characters; ${BINARY_KEY} takes others, in UTF-8`,
    )
  return text
}

const readBinary = (base64: string): string | null => {
  if (base64 === '') return null
  const name = parseName(decode(base64)?.trim() ?? '')
  if (!name.ok)
    throw invalidField(BINARY_KEY, `must be 1 to ${MOST_CHARACTERS} printable characters in UTF-8`)
  return name.value
}

/** The text of base64, with padding or without; null for what is none. */
const decode = (base64: string): string | null => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(decodeBinaryHeader(base64))
  } catch {
    return null
  }
}
