import { useState } from "react";
import { keepKey, useAccess } from "./access.js";

const STATES = {
  missing: "no key",
  unknown: "unchecked",
  accepted: "accepted",
  refused: "refused",
};

/** Takes the key on Enter, on leaving the field and on pasting; on every letter, half a key would be refused each time. */
export function KeyField() {
  const { key, state } = useAccess();
  const [text, setText] = useState(key);
  const [shown, setShown] = useState(false);

  const take = (value) => {
    const taken = value.trim();
    setText(taken);
    if (taken !== key) keepKey(taken);
  };
  const submit = (event) => {
    event.preventDefault();
    take(text);
  };
  // The field holds the pasted text only after this event.
  const paste = ({ currentTarget }) => setTimeout(() => take(currentTarget.value));

  return (
    <form className="key" onSubmit={submit} data-state={state}>
      <label htmlFor="api-key">API key</label>
      <div className="field">
        <input
          id="api-key"
          type={shown ? "text" : "password"}
          value={text}
          placeholder="Paste your API key"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          aria-describedby="key-state"
          aria-invalid={state === "refused"}
          onChange={(event) => setText(event.target.value)}
          onBlur={() => take(text)}
          onPaste={paste}
        />
        <button type="button" aria-pressed={shown} aria-controls="api-key" onClick={() => setShown(!shown)}>
          {shown ? "Hide" : "Show"}
        </button>
      </div>
      <span id="key-state" className="state" role="status">
        {STATES[state]}
      </span>
    </form>
  );
}

const NOTICES = {
  missing: (
    <>
      <strong>Enter an API key</strong> to load the schema and run operations. The server keeps its first one in{" "}
      <code>.agentdata/api-key</code>; <code>agentdata keys create</code> makes another. It stays in this browser.
    </>
  ),
  refused: (
    <>
      <strong>The server refused this API key</strong> (401): it is mistyped, expired or revoked.{" "}
      <code>agentdata keys create</code> makes a new one.
    </>
  ),
};

export function KeyNotice() {
  const { state } = useAccess();
  return <div role="alert">{state in NOTICES && <p className={`notice ${state}`}>{NOTICES[state]}</p>}</div>;
}
