import { html, type SafeHtml } from '@remix-run/html-template'
import { maskMsisdn } from '../../values/msisdn.ts'

/** A payer's number as pages show it: masked. Whoever asks for the whole one does so by an action, which is audited. */
export const maskedMsisdn = (msisdn: string): SafeHtml =>
  html`<span class="msisdn" title="masked">${msisdn === '' ? '–' : maskMsisdn(msisdn)}</span>`
