"""Holds what ffe_losses printed against transformers and PEFT.

compare.py MODEL.gguf ADAPTER_DIR OURS.json

Exit status 1 if a loss or a logit differs by more than TOLERANCE, the five greatest logits are
other tokens, the tokenizer or the chat template gives other ids, or PEFT finds a key missing or
unexpected.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 1e-3
# Rendered and cut off again: see without_default_system().
SYSTEM = "x"


def without_default_system(tokenizer, messages):
    """The ids of `messages` by the model's own template, with no system turn.

    The template puts a default system turn before messages that have none, and FFE's rows are
    tokenised without it. So it is given a system turn of ours, and exactly that turn is removed
    from the text, which must begin with it; the rest is what the template wrote.
    """
    if messages[0]["role"] == "system":
        text = tokenizer.apply_chat_template(messages, tokenize=False)
    else:
        system = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"
        text = tokenizer.apply_chat_template(
            [{"role": "system", "content": SYSTEM}, *messages], tokenize=False
        )
        if not text.startswith(system):
            raise SystemExit(f"the template does not begin with the system turn: {text[:80]!r}")
        text = text[len(system) :]
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def ids_of(tokenizer, row):
    if row["messages"]:
        return without_default_system(tokenizer, row["messages"])
    return None  # plain text: FFE adds bos and eos itself; there is no template to compare with


def logits_and_loss(model, row):
    """Logits [tokens, vocabulary] and the mean over the target tokens of -log p."""
    tokens = torch.tensor([row["tokens"]])
    with torch.no_grad():
        logits = model(input_ids=tokens).logits[0].float()
    log_p = torch.log_softmax(logits.double()[:-1], dim=-1)
    picked = log_p.gather(1, tokens[0, 1:, None])[:, 0]
    target = torch.tensor(row["target"][1:], dtype=torch.bool)
    return logits, float(-picked[target].mean())


def greedy_tokens(model, row):
    """What transformers generates after the row's prompt, with its own key-value cache."""
    prompt = torch.tensor([row["tokens"][: row["position"] + 1]])
    with torch.no_grad():
        out = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                             max_new_tokens=len(row["greedy"]), eos_token_id=-1, pad_token_id=0)
    return out[0, prompt.shape[1] :].tolist()


def load_adapter(base, folder):
    """The PEFT model and what was wrong with its keys.

    Warnings are one witness, the tensors themselves the other: every tensor of the file must be in
    the model under PEFT's name, bit for bit, and the model must have no LoRA weight besides.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(base, folder).eval()
    problems = [
        str(w.message)
        for w in caught
        if any(word in str(w.message).lower() for word in ("missing", "unexpected", "adapter key"))
    ]
    inside = {
        name.replace(".default.", "."): value
        for name, value in model.state_dict().items()
        if ".lora_" in name
    }
    with safe_open(Path(folder) / "adapter_model.safetensors", "pt") as file:
        names = set(file.keys())
        problems += [f"in the file only: {n}" for n in sorted(names - set(inside))]
        problems += [f"in the model only: {n}" for n in sorted(set(inside) - names)]
        for name in sorted(names & set(inside)):
            if not torch.equal(file.get_tensor(name).float(), inside[name].float()):
                problems.append(f"other values: {name}")
    return model, len(names), problems


def main(model_path, adapter, ours_path):
    ours = json.loads(Path(ours_path).read_text())
    rows = ours["rows"]
    path = Path(model_path)
    where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    base = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32).eval()

    failures = []
    compared = 0
    for i, row in enumerate(rows):
        ids = ids_of(tokenizer, row)
        if ids is None:
            continue
        compared += 1
        if ids != row["tokens"]:
            failures.append(f"row {i}: other token ids: {ids} here, {row['tokens']} there")

    base_losses = [logits_and_loss(base, row)[1] for row in rows]  # before PEFT changes it in place
    model, tensors, problems = load_adapter(base, adapter)
    failures += problems

    base_max = adapter_max = logit_max = 0.0
    greedy_equal = 0
    for i, row in enumerate(rows):
        logits, loss = logits_and_loss(model, row)
        at = logits[row["position"]]
        theirs = torch.topk(at, len(row["top"])).indices.tolist()
        base_difference = abs(base_losses[i] - row["base_loss"])
        adapter_difference = abs(loss - row["adapter_loss"])
        logit_difference = max(abs(float(at[token]) - value) for token, value in row["top"])
        base_max = max(base_max, base_difference)
        adapter_max = max(adapter_max, adapter_difference)
        logit_max = max(logit_max, logit_difference)
        differences = (base_difference, adapter_difference, logit_difference)
        if not all(d <= TOLERANCE for d in differences):  # so written, a NaN fails
            failures.append(
                f"row {i}: differs by {base_difference:.2e} (base loss), "
                f"{adapter_difference:.2e} (adapter loss), {logit_difference:.2e} (logits)"
            )
        greedy_equal += greedy_tokens(model, row) == row["greedy"]
        ours_top = [token for token, _ in row["top"]]
        gap = abs(float(at[theirs[-1]]) - float(at[ours_top[-1]]))
        if set(theirs) != set(ours_top) and gap > TOLERANCE:
            failures.append(f"row {i}: greatest logits are {theirs} here, {ours_top} there")

    if greedy_equal != len(rows):
        failures.append(f"greedy text: {len(rows) - greedy_equal} rows differ")
    for failure in failures:
        print("FAIL", failure)
    print(f"engine: {ours['numeric']}, {ours['instruction_set']}; {len(rows)} rows")
    print(f"token ids by the model's template: {compared} rows compared")
    print(f"adapter: {tensors} tensors, key problems: {len(problems)}")
    print(f"greedy text of {len(rows[0]['greedy'])} tokens: {greedy_equal} of {len(rows)} rows equal")
    print(f"greatest difference, loss of a row, base:    {base_max:.3e}")
    print(f"greatest difference, loss of a row, adapter: {adapter_max:.3e}")
    print(f"greatest difference, five greatest logits:   {logit_max:.3e}")
    if not rows:
        failures.append("no rows")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: compare.py MODEL.gguf ADAPTER_DIR OURS.json")
    sys.exit(main(*sys.argv[1:]))
