import { z } from 'zod'

const example = z.looseObject({ value: z.unknown() })

const media = z.looseObject({
  schema: z.record(z.string(), z.unknown()),
  examples: z.record(z.string(), example),
})

const response = z.looseObject({
  description: z.string(),
  headers: z.record(z.string(), z.looseObject({})).default({}),
  content: z.record(z.string(), media).default({}),
})

const operation = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()),
  security: z.array(z.record(z.string(), z.unknown())),
  parameters: z
    .array(
      z.looseObject({
        name: z.string(),
        in: z.string(),
        description: z.string(),
        schema: z.looseObject({ examples: z.array(z.unknown()) }),
      }),
    )
    .default([]),
  requestBody: z.looseObject({ content: z.record(z.string(), media) }).optional(),
  responses: z.record(z.string(), response),
})

const documentSchema = z.looseObject({
  openapi: z.string(),
  servers: z.array(z.looseObject({ url: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  webhooks: z.looseObject({ outcome: z.looseObject({ post: operation }) }),
  components: z.looseObject({ schemas: z.record(z.string(), z.looseObject({})) }),
})

/** As much of an OpenAPI document as tests read; parsing it holds that everything has its words and examples. */
export type Documented = z.infer<typeof documentSchema>

export type Operation = z.infer<typeof operation>

export const parseDocument = (text: string): Documented => documentSchema.parse(JSON.parse(text))

/** Every operation that partners call, with where it is. */
export const operationsOf = (
  document: Documented,
): { method: string; path: string; operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )

/** A schema of the document that stands by itself. */
export const toSchema = (document: Documented, schema: Record<string, unknown>): z.ZodType => {
  const whole = JSON.stringify({ ...schema, $defs: document.components.schemas })
  return z.fromJSONSchema(JSON.parse(whole.replaceAll('#/components/schemas/', '#/$defs/')))
}
