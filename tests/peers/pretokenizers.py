"""Byte-level BPE vocabularies that cut texts as published models do, by the tokenizers library, and the ids that it gives.

    python pretokenizers.py OUT.json TEXTS.json

OUT.json is {"model": one vocabulary and its merges, "rules": {GGUF's name: {"pre_tokenizer": as tokenizer.json has it, "ids": [[...] of each text]}}, "texts"}. The merges were learnt over whole
lines, not words, so a text that is cut at another place has other ids. Rules that keep digits apart go without merges of digits, as in the models that have them. The expressions are those of the tokenizer.json of GPT-4o,
Mistral Nemo, DeepSeek V2, DeepSeek Coder, DeepSeek V3, Llama 3, Qwen 2, GPT-2 and SmolLM; the letters with case are spelled from this Python's Unicode.
"""
import json
import sys
import unicodedata
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
BLANKS = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
WORDS, OTHERS = ENDINGS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}", r"| ?[^\s\p{L}\p{N}]+[\r\n]*" + BLANKS
UPPER, LOWER, PATHS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + BLANKS


def cased(ending):
    return rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ending}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ending}|\p{{N}}"


def letters_with_case():
    """A-Za-z\u00b5\u00c0-\u00d6...: ranges of code points."""
    ranges = []
    for cp in range(0x10ffff + 1):
        if unicodedata.category(chr(cp)) not in ("Lu", "Ll", "Lt"):
            continue
        if ranges and ranges[-1][1] == cp - 1:
            ranges[-1][1] = cp
        else:
            ranges.append([cp, cp])
    return "".join(chr(a) if a == b else f"{chr(a)}-{chr(b)}" for a, b in ranges)


def split(regex):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
WITH_WORDS = dict(BYTES, use_regex=True)
DIGITS = {"type": "Digits", "individual_digits": True}
EASTERN, HAN_AND_KANA = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
RULES = {
    "llama-bpe": [split(WORDS + "{1,3}" + OTHERS), BYTES],
    "qwen2": [split(WORDS + OTHERS), BYTES],
    "gpt-2": [WITH_WORDS],
    "smollm": [DIGITS, WITH_WORDS],
    "gpt-4o": [split(cased(ENDINGS + "?") + "{1,3}" + PATHS), BYTES],
    "tekken": [split(cased("") + PATHS), BYTES],
    "deepseek-llm": [split("[\r\n]"), split(r"\s?[" + letters_with_case() + "]+"), split("\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"), split(r"\s+$"), split(EASTERN), DIGITS, BYTES],
    "deepseek-coder": [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(EASTERN), DIGITS, BYTES],
    "deepseek-v3": [split(r"\p{N}{1,3}"), split(HAN_AND_KANA), split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*" + BLANKS.replace(r"[\r\n]", "[\r\n]")), BYTES],
}
PIECES = ["the", "fox", "'s", "'LL", "'t", "n't", "12", "345", "7", " ", " ", " ", "  ", "\n", "\r\n", "\t", "//", "/", "; ", "{\n", ".x", "++", "(i", ")", "é", "É", "naï", "Word", "HTTP", "lCa", "eWo", "/\n", "日本", "のテ", "キスト", "、", "漢字", "한국", "привет", "МИР", "“", "”", "…", "a", "b", "ed", "ing", "!", "?", ","]


def trained():
    """Merges of whatever stands side by side, as no rule cuts these lines."""
    t, lines, state = Tokenizer(models.BPE()), [], 1
    for _ in range(400):
        line = ""
        for _ in range(30):
            state = (state * 1103515245 + 12345) % 2 ** 31
            line += PIECES[(state >> 8) % len(PIECES)]
        lines.append(line)
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=640, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=6, show_progress=False))
    return json.loads(t.to_str())


def main():
    whole, texts, rules = trained(), json.loads(Path(sys.argv[2]).read_text("utf-8")), {}
    for name, steps in RULES.items():
        whole["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps} if len(steps) > 1 else steps[0]
        merges = [m for m in whole["model"]["merges"] if DIGITS not in steps or not any(c in "0123456789" for c in "".join(m))]
        t = Tokenizer.from_str(json.dumps(dict(whole, model=dict(whole["model"], merges=merges))))
        rules[name] = {"pre_tokenizer": whole["pre_tokenizer"], "ids": [t.encode(text).ids for text in texts]}
    Path(sys.argv[1]).write_text(json.dumps({"model": {k: whole["model"][k] for k in ("type", "vocab", "merges")}, "rules": rules, "texts": texts}, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


main()
