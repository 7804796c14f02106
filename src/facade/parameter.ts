import { z } from 'zod'
import { invalid, type Parsed } from '../values/parsed.ts'
import { simplify } from './docs/json-schema.ts'

/** Judges a parameter's text. Null is what is no text. */
type Parse<Value> = (text: string | null) => Parsed<Value>

/**
 * A parameter of a path or a query that must be there. It arrives as text, which `parse` judges: a problem is worded as
 * the end of a sentence that starts with the parameter's name. `documented` is its value as the OpenAPI document
 * describes it; a test holds both together.
 */
export const parameter = <Value>(parse: Parse<Value>, documented: z.ZodType) =>
  judged(
    z.union([z.string(), z.array(z.string())]),
    // Of one that is given twice, it is not known which counts.
    (given) => (Array.isArray(given) ? invalid('must be given only once') : parse(textOf(given))),
    documented,
  )

/** A field of a body that may be left out, and is a text that `parse` judges, as it does a parameter's. */
export const optionalField = <Value>(parse: Parse<Value>, documented: z.ZodType) => {
  const required = judged(z.unknown(), (given) => parse(textOf(given)), documented)
  return required.optional().meta({ description: required.meta()?.description })
}

const textOf = (given: unknown): string | null => (typeof given === 'string' ? given : null)

const judged = <Value>(arrives: z.ZodType, judge: (given: unknown) => Parsed<Value>, documented: z.ZodType) =>
  arrives
    .transform((given, context): Value => {
      const parsed = judge(given)
      if (parsed.ok) return parsed.value
      context.issues.push({ code: 'custom', message: parsed.problem, input: given })
      return z.NEVER
    })
    .meta({
      description: documented.meta()?.description,
      override: ({ jsonSchema }) => {
        const { $schema: _, ...described } = z.toJSONSchema(documented, { override: simplify })
        for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key)
        Object.assign(jsonSchema, described)
      },
    })

/** A parameter of a query that may be left out. */
export const optionalParameter = <Value>(parse: Parse<Value>, documented: z.ZodType) => {
  const required = parameter(parse, documented)
  return required.optional().meta({ description: required.meta()?.description })
}
