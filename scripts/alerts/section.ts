import type { Alert } from './alert.ts'

/** Where an alert's section is, below the folder of runbooks. */
export const sectionOf = ({ page, name }: Pick<Alert, 'page' | 'name'>): string =>
  `/${page}.md#${name.toLowerCase()}`
