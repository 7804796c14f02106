import type { SafeHtml } from '@remix-run/html-template'

/** A page, without what all pages have. */
export type Page = {
  readonly title: string
  readonly body: SafeHtml
  /** 200 when left out, unless something was refused. */
  readonly status?: number
  /** Seconds after which its `data-live` parts are asked for again; never when left out. */
  readonly liveSeconds?: number
}
