import { type AliasedRawBuilder, type RawBuilder, type SelectType, sql } from 'kysely'
import { COLUMNS } from './schema/columns.ts'
import type { PostgresType, PostgresTypes } from './schema/postgres-types.ts'
import type { Schema } from './schema/schema.ts'

/** A column of a table by both names, like `payments.id`. */
type ColumnName = { [Table in keyof Schema]: `${Table}.${keyof Schema[Table] & string}` }[keyof Schema]

/** What a given column is like: a column of the schema, or, where it has no counterpart there, a type of Postgres. */
type Kind = ColumnName | Exclude<PostgresType, '_text'>

type ValueOf<Like extends Kind> = Like extends PostgresType
  ? PostgresTypes[Like] | null
  : Like extends `${infer Table extends keyof Schema}.${infer Column}`
    ? Column extends keyof Schema[Table]
      ? SelectType<Schema[Table][Column]>
      : never
    : never

/** By the name of each given column: what it is like, and its value in a row. */
type GivenColumns<Row, Kinds extends Record<string, Kind>> = {
  readonly [Name in keyof Kinds]: readonly [Kinds[Name], (row: Row) => ValueOf<Kinds[Name]>]
}

type GivenRow<Kinds extends Record<string, Kind>> = { [Name in keyof Kinds]: ValueOf<Kinds[Name]> }

/** A table named `given`, for `sql` and for the builder's `from`. */
type GivenTable<Kinds extends Record<string, Kind>> = AliasedRawBuilder<GivenRow<Kinds>, 'given'>

/**
 * Hands rows to a statement as one array a column, so that its text, and so its prepared plan, is the same for any
 * number of rows: `unnest($1::int8[], $2::text[]) AS given (id, receipt)` of `givenRows(payments, { id: ['payments.id',
 * (one) => one.id], receipt: ['payments.receipt', (one) => one.receipt] })`.
 */
export const givenRows = <Row, const Kinds extends Record<string, Kind>>(
  rows: readonly Row[],
  columns: GivenColumns<Row, Kinds>,
): GivenTable<Kinds> => unnest(rows, columns, '')

/** The same with one more column, `position`, which counts the rows from 1 as they were given. */
export const givenRowsInOrder = <Row, const Kinds extends Record<string, Kind>>(
  rows: readonly Row[],
  columns: GivenColumns<Row, Kinds>,
): GivenTable<Kinds & { position: 'int8' }> => unnest(rows, columns, ' WITH ORDINALITY')

/**
 * Any of these values, for a column of the schema: `where('id', '=', anyOf('payments.id', ids))`. One array, so that
 * the text, and so its prepared plan, is the same for any number of values.
 */
export const anyOf = <Like extends ColumnName>(
  like: Like,
  values: readonly NonNullable<ValueOf<Like>>[],
): RawBuilder<NonNullable<ValueOf<Like>>> => sql`ANY (${values}::${sql.raw(typeOf(like))}[])`

const unnest = <Row, const Kinds extends Record<string, Kind>, Given extends Record<string, Kind>>(
  rows: readonly Row[],
  columns: GivenColumns<Row, Kinds>,
  ordinality: '' | ' WITH ORDINALITY',
): GivenTable<Given> => {
  const given = Object.values<readonly [Kind, (row: Row) => unknown]>(columns)
  const casts = given.map(([kind]) => `::${typeOf(kind)}[]`)
  // What stands before, between and after the arrays, as the tag of a template has it.
  const texts = ['unnest(', ...casts.slice(0, -1).map((cast) => `${cast}, `), `${casts.at(-1)})${ordinality}`]
  const names = [...Object.keys(columns), ...(ordinality === '' ? [] : ['position'])]
  const arrays = given.map(([, valueOf]) => rows.map(valueOf))
  return sql<GivenRow<Given>>(Object.assign(texts, { raw: texts }), ...arrays).as<'given'>(
    sql.raw(`given (${names.join(', ')})`),
  )
}

/** The type of Postgres of a given column. */
const typeOf = (kind: Kind): string => {
  const [table = '', column = ''] = kind.split('.')
  const columns: Readonly<Record<string, Readonly<Record<string, string>> | undefined>> = COLUMNS
  return columns[table]?.[column]?.split(' ')[0] ?? kind
}
