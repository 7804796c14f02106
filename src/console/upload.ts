import multipart, { type MultipartFile } from '@fastify/multipart'
import type { FastifyInstance } from 'fastify'
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

/** What a form with a file sends: the fields that stand before the file, and the file as it comes. */
export type UploadCall = Call & {
  readonly form: URLSearchParams
  readonly file: { readonly name: string; readonly content: AsyncIterable<Buffer> }
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
    /** Where the page of a refusal leads. */
    readonly back: string
  },
): void => {
  app.post(route.path, { config: { needs: route.needs } }, (request, reply) =>
    answerAction({
      request,
      reply,
      act: async () => {
        const sent = request.isMultipart() ? await request.file() : undefined
        if (sent === undefined || sent.filename === '')
          throw new Refusal('wrong_field', 'Choose a file.', { field: 'file' })
        const file = { name: sent.filename, content: sent.file }
        const call: UploadCall = { ...callOf(request, parts), form: fieldsOf(sent), file }
        return route.act(call)
      },
      onRefused: () => null,
      back: () => route.back,
    }),
  )
}

const fieldsOf = ({ fields }: MultipartFile): URLSearchParams => {
  const form = new URLSearchParams()
  for (const one of Object.values(fields).flat())
    if (one?.type === 'field' && typeof one.value === 'string') form.append(one.fieldname, one.value)
  return form
}
