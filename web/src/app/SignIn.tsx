import { type FormEvent, useId, useState } from 'react';
import { Logo } from './Logo.js';

export function SignIn({ onToken }: { onToken: (token: string) => Promise<unknown> }) {
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const id = useId();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get('token') ?? '').trim();
    setBusy(true);
    onToken(token)
      .catch((reason: Error) => setError(reason.message))
      .finally(() => setBusy(false));
  };
  return (
    <main className="notice">
      <form className="sign-in" onSubmit={submit}>
        <Logo />
        <h1>Sign in</h1>
        <p className="sc-dim">
          with a token of <code>ADMIN_TOKENS</code>: whoever runs the worker has it.
        </p>
        <label htmlFor={id}>Token</label>
        <input id={id} name="token" type="password" autoComplete="current-password" required spellCheck={false} />
        <button type="submit" className="button button--primary" disabled={busy}>
          Sign in
        </button>
        <p role="alert" className="sc-error">
          {error}
        </p>
      </form>
    </main>
  );
}
