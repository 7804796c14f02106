import { html, type SafeHtml } from '@remix-run/html-template'

/** A field of a form. */
export type Field = {
  /** What it is called in the form, or the address. */
  readonly name: string
  /** Of the page's own; after the name when left out. */
  readonly id?: string
  readonly label: string
  readonly value?: string | null
  /** What is to be known before it is filled in. */
  readonly hint?: string
  /** What is wrong with what was filled in. */
  readonly problem?: string | null
  readonly required?: boolean
  readonly autocomplete?: string
} & (
  | { readonly kind?: 'text' | 'search' | 'number' | 'password' | 'datetime-local' | 'date' }
  | { readonly kind: 'select'; readonly options: readonly (readonly [value: string, label: string])[] }
  | { readonly kind: 'area' }
)

/** A field with its label, its hint and what is wrong with it. */
export const field = (one: Field): SafeHtml => {
  const id = one.id ?? `field-${one.name}`
  const hint = one.hint === undefined ? null : html`<small id="${id}-hint">${one.hint}</small>`
  const problem = one.problem ? html`<small id="${id}-problem" class="problem">${one.problem}</small>` : null
  return html`<div class="field"><label for="${id}">${one.label}</label>${control(one, id)}${hint}${problem}</div>`
}

const control = (one: Field, id: string): SafeHtml => {
  const described = [
    ...(one.hint === undefined ? [] : [`${id}-hint`]),
    ...(one.problem ? [`${id}-problem`] : []),
  ]
  const more = [
    described.length > 0 ? html` aria-describedby="${described.join(' ')}"` : '',
    one.problem ? html` aria-invalid="true"` : '',
    one.required === true ? html` required` : '',
    one.autocomplete === undefined ? '' : html` autocomplete="${one.autocomplete}"`,
  ]
  if (one.kind === 'select') {
    const options = one.options.map(([value, label]) =>
      value === (one.value ?? '')
        ? html`<option value="${value}" selected>${label}</option>`
        : html`<option value="${value}">${label}</option>`,
    )
    return html`<select id="${id}" name="${one.name}"${more}>${options}</select>`
  }
  if (one.kind === 'area')
    return html`<textarea id="${id}" name="${one.name}" rows="3"${more}>${one.value ?? ''}</textarea>`
  const value = one.kind === 'password' ? '' : (one.value ?? '')
  return html`<input id="${id}" name="${one.name}" type="${one.kind ?? 'text'}" value="${value}"${more}>`
}

/** A value that a form carries and does not show. */
export const hidden = (name: string, value: string): SafeHtml =>
  html`<input type="hidden" name="${name}" value="${value}">`

/** A form that changes something; `tone` is `danger` for what cannot be undone. */
export const postForm = (options: {
  action: string
  button: string
  fields?: readonly SafeHtml[]
  tone?: 'plain' | 'danger'
}): SafeHtml => {
  const { action, button, fields = [], tone = 'plain' } = options
  return html`<form method="post" action="${action}">${[...fields]}<button class="${tone}">${button}</button></form>`
}

/** The filters of a list: they stand in its address. `path` is the list's. */
export const filterForm = (path: string, fields: readonly Field[]): SafeHtml =>
  html`<form class="filters" method="get" action="${path}" role="search">${fields.map(field)}<button>Show</button><a href="${path}">All</a></form>`

/** A form that sends a file, after its fields: what takes it reads them first. */
export const fileForm = (options: {
  action: string
  button: string
  fields: readonly Field[]
  label: string
  /** What browsers offer to choose: `.csv,.xlsx`. */
  accept: string
  /** How large a file may be, and what the page's script says of a larger one before it is sent. */
  most: { bytes: number; sentence: string }
}): SafeHtml =>
  html`<form method="post" action="${options.action}" enctype="multipart/form-data">${options.fields.map(field)}<div class="field"><label for="field-file">${options.label}</label><input id="field-file" name="file" type="file" accept="${options.accept}" data-most-bytes="${options.most.bytes}" data-too-large="${options.most.sentence}" required></div><button>${options.button}</button></form>`
