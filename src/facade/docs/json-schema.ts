import type { z } from 'zod'

/** What zod hands to a function that may change the JSON Schema that it wrote. */
type Written = { jsonSchema: z.core.JSONSchema.BaseSchema }

/**
 * Says in fewer words what zod says in many, for whoever reads the document: several types in one `type`, and no bounds
 * that are only those of whole numbers in JavaScript.
 */
export const simplify = ({ jsonSchema }: Written): void => {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  const { anyOf = [] } = jsonSchema
  const types = anyOf.map(({ type }) => type)
  // The bounds of one type do not touch values of another, but an enum and a const would.
  const bounded = anyOf.filter((schema) => Object.keys(schema).length > 1)
  const isPlain = types.every((type) => type !== undefined) && bounded.length <= 1
  if (types.length === 0 || !isPlain || bounded.some((schema) => 'enum' in schema || 'const' in schema))
    return
  delete jsonSchema.anyOf
  Object.assign(jsonSchema, bounded[0], { type: types })
}
