import multipart, { type MultipartFile } from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ConsoleParts } from './console-parts.ts'
import { Refusal } from './refusal.ts'
import { answerAction, type Call, callOf, type Declared, type Done } from './route.ts'

/** Of all fields together with the file, and of the text of one; how large a file may be is for its method to say. */
const LIMITS = {
  files: 1,
  fields: 10,
  fieldSize: 1_000,
  headerPairs: 100,
  fileSize: Number.POSITIVE_INFINITY,
}

/** Of a form beside its file, bytes at most: its fields, and what stands around each. */
const MOST_REST_BYTES = 64 * 1024

/** What a form with a file sends: the fields that stand before the file, and the file as it comes. */
export type UploadCall = Call & {
  readonly form: URLSearchParams
  readonly file: { readonly name: string; readonly content: AsyncIterable<Buffer> }
}

/** How large a file may be. */
export type FileBound = {
  readonly mostBytes: number
  /** What is said of one that is larger, by so many bytes; null: nobody knows how many it has. */
  readonly explain: (bytes: number | null) => string
}

/** Lets forms with a file be sent. */
export const takeUploads = async (app: FastifyInstance): Promise<void> => {
  await app.register(multipart, { limits: LIMITS })
}

/** An action whose form has a file, which is never held in memory as a whole. */
export const addUpload = (
  app: FastifyInstance,
  parts: ConsoleParts,
  route: Declared & {
    readonly act: (call: UploadCall) => Promise<Done>
    readonly bound: FileBound
    /** Where the page of a refusal leads. */
    readonly back: string
  },
): void => {
  app.post(route.path, { config: { needs: route.needs, takesFile: true } }, (request, reply) =>
    answerAction({
      request,
      reply,
      act: async () => {
        refuseAnnounced(request, route.bound)
        try {
          const sent = request.isMultipart() ? await orRefused(request.file()) : undefined
          if (sent === undefined || sent.filename === '')
            throw new Refusal('wrong_field', 'Choose a file.', { field: 'file' })
          const file = { name: sent.filename, content: wholeFile(sent.file, route.bound) }
          const call: UploadCall = { ...callOf(request, parts), form: fieldsOf(sent), file }
          return await route.act(call)
        } finally {
          // A browser shows the answer when it has sent everything: what nobody wants is read and thrown away.
          request.raw.unpipe().resume()
        }
      },
      onRefused: () => null,
      back: () => route.back,
    }),
  )
}

/** What says of itself that it is too large is not waited for. */
const refuseAnnounced = ({ headers }: FastifyRequest, { mostBytes, explain }: FileBound): void => {
  const bytes = Number(headers['content-length'] ?? 0)
  if (bytes > mostBytes + MOST_REST_BYTES) throw new Refusal('too_large', explain(bytes), { field: 'file' })
}

/** A file piece by piece. Throws `Refusal` where it is too large, or does not come to its end. */
export const wholeFile = async function* (
  pieces: AsyncIterable<Buffer>,
  { mostBytes, explain }: FileBound,
): AsyncGenerator<Buffer> {
  const iterator = pieces[Symbol.asyncIterator]()
  let bytes = 0
  try {
    for (;;) {
      const next = await orRefused(iterator.next())
      if (next.done === true) return
      bytes += next.value.length
      if (bytes > mostBytes) throw new Refusal('too_large', explain(null), { field: 'file' })
      yield next.value
    }
  } finally {
    await iterator.return?.()
  }
}

/** The connection broke, or the form ends before its file does: no defect, and perhaps nobody is there to be told. */
const orRefused = <Read>(reading: Promise<Read>): Promise<Read> =>
  reading.catch((cause: unknown) => {
    const sentence = 'The file did not arrive as a whole. Choose it and send it again.'
    throw new Refusal('wrong_field', sentence, { field: 'file', cause })
  })

const fieldsOf = ({ fields }: MultipartFile): URLSearchParams => {
  const form = new URLSearchParams()
  for (const one of Object.values(fields).flat())
    if (one?.type === 'field' && typeof one.value === 'string') form.append(one.fieldname, one.value)
  return form
}
