"""Tiny random models of every family, written by the transformers library, with their logits (encoders: hidden rows) for a few tokens.

    python hf_models.py OUT_FOLDER [name...]

For each model OUT_FOLDER/<name> is the folder that save_pretrained wrote, with <name>.f32 (what it computes, float32 [tokens, width]) and
<name>.json ({"tokens", "kind", "texts": [[text, ids], ...]}) beside it.
"""
import base64
import copy
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
import transformers as tf
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path(sys.argv[1])
TEXTS = ["Hello world, how are you?", "The quick brown fox jumps over the lazy dog 12345 times.", "  spaces   and\nnew lines\n\n", "naïve café — “quotes” 日本語 🙂", "def f(x):\n    return x + 1", "cafe\u0301 A\u030a \ufb01"]  # no conjoining Hangul: Precompiled of tokenizers does not compose it, SentencePiece does
CORPUS = [t for t in TEXTS for _ in range(3)] + ["hello fox world dog time line return", "the then than that this those", "running runner runs ran"]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def byte_bpe(regex, bos=None, digits=False, form=None):
    t = Tokenizer(models.BPE())
    if form:
        t.normalizer = form
    split = [pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)] if regex else [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    t.pre_tokenizer = pre_tokenizers.Sequence(([pre_tokenizers.Digits(individual_digits=True)] if digits else []) + split)
    t.decoder = decoders.ByteLevel()
    specials = ["<|end|>"] + ([bos] if bos else [])
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if bos:
        t.post_processor = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, t.token_to_id(bos))])
    return tf.PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|end|>", bos_token=bos)


def sentencepiece_like(prefix):
    """BPE with byte fallback, as converted from SentencePiece."""
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Sequence(([normalizers.Prepend("▁")] if prefix else []) + [normalizers.Replace(" ", "▁")])
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=420, special_tokens=specials, limit_alphabet=60))
    data = json.loads(t.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    t = Tokenizer.from_str(json.dumps(data))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()] + ([decoders.Strip(" ", 1, 0)] if prefix else []))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tf.PreTrainedTokenizerFast(tokenizer_object=t, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tf.PreTrainedTokenizerFast(tokenizer_object=t, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


T5 = Path(os.environ.get("EDGE_NET_SHARED", "../shared")) / "data/tokenizers/hf/t5-small/tokenizer.json"


def unigram():
    """As XLM-R's: SentencePiece's unigram model, with its table of characters (T5's, of the shared data)."""
    t = Tokenizer(models.Unigram())
    table = base64.b64decode(json.loads(T5.read_text())["normalizer"]["precompiled_charsmap"])
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(table), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tf.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>")


def roberta_bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tf.PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>")


SIZES = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=256)
GROUPED = dict(SIZES, num_key_value_heads=2)


def models_to_make():  # name, class, configuration, tokenizer, how it is saved
    yield "llama", tf.LlamaForCausalLM, tf.LlamaConfig(**GROUPED), sentencepiece_like(True), {}
    yield "llama3", tf.LlamaForCausalLM, tf.LlamaConfig(**GROUPED, tie_word_embeddings=True, rope_theta=500000.0, rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)), byte_bpe(LLAMA3, "<|begin|>"), {}
    yield "llama-bias", tf.LlamaForCausalLM, tf.LlamaConfig(**GROUPED, attention_bias=True, mlp_bias=True), byte_bpe(None, digits=True), dict(dtype=torch.float16)
    yield "mistral", tf.MistralForCausalLM, tf.MistralConfig(**GROUPED, head_dim=32), sentencepiece_like(True), dict(max_shard_size="60KB")
    yield "mixtral", tf.MixtralForCausalLM, tf.MixtralConfig(**GROUPED, num_local_experts=4, num_experts_per_tok=2), sentencepiece_like(True), dict(max_shard_size="300KB")
    yield "qwen2", tf.Qwen2ForCausalLM, tf.Qwen2Config(**GROUPED, tie_word_embeddings=True), byte_bpe(QWEN, form=normalizers.NFC()), {}
    yield "qwen2-yarn", tf.Qwen2ForCausalLM, tf.Qwen2Config(**GROUPED, rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)), byte_bpe(QWEN, form=normalizers.NFC()), {}
    yield "qwen3", tf.Qwen3ForCausalLM, tf.Qwen3Config(**GROUPED, head_dim=24), byte_bpe(QWEN, form=normalizers.NFC()), dict(dtype=torch.bfloat16)
    yield "phi", tf.PhiForCausalLM, tf.PhiConfig(**SIZES, partial_rotary_factor=0.5), byte_bpe(None), {}
    yield "phi3", tf.Phi3ForCausalLM, tf.Phi3Config(**GROUPED, pad_token_id=0), sentencepiece_like(False), {}
    half = SIZES["hidden_size"] // SIZES["num_attention_heads"] // 2
    yield "phi3-long", tf.Phi3ForCausalLM, tf.Phi3Config(**GROUPED, pad_token_id=0, original_max_position_embeddings=64, rope_scaling=dict(type="longrope", short_factor=[1.0 + 0.05 * i for i in range(half)], long_factor=[2.0 + 0.1 * i for i in range(half)])), sentencepiece_like(False), {}
    yield "gemma", tf.GemmaForCausalLM, tf.GemmaConfig(**GROUPED, head_dim=32), sentencepiece_like(False), {}
    yield "gemma2", tf.Gemma2ForCausalLM, tf.Gemma2Config(**GROUPED, head_dim=32, query_pre_attn_scalar=32, sliding_window=8), sentencepiece_like(False), {}
    yield "gemma3", tf.Gemma3ForCausalLM, tf.Gemma3TextConfig(**dict(GROUPED, num_hidden_layers=7), head_dim=32, query_pre_attn_scalar=32, sliding_window=8), sentencepiece_like(False), {}
    yield "mamba", tf.MambaForCausalLM, tf.MambaConfig(hidden_size=64, state_size=16, num_hidden_layers=3, expand=2, time_step_rank=8), byte_bpe(None), dict(dtype=torch.bfloat16)
    yield "mamba2", tf.Mamba2ForCausalLM, tf.Mamba2Config(hidden_size=64, state_size=16, num_hidden_layers=3, expand=2, num_heads=8, head_dim=16, n_groups=1, chunk_size=8), byte_bpe(None), {}
    yield "bert", tf.BertModel, tf.BertConfig(**SIZES), wordpiece(), {}
    yield "bert-ranker", tf.BertForSequenceClassification, tf.BertConfig(**SIZES, num_labels=1), wordpiece(), {}
    behind = dict(SIZES, max_position_embeddings=SIZES["max_position_embeddings"] + 2, type_vocab_size=1, pad_token_id=1)
    yield "roberta", tf.RobertaModel, tf.RobertaConfig(**behind), roberta_bpe(), {}
    if not T5.exists():
        print("skipped: no shared data (xlm-roberta)", file=sys.stderr)
        return
    yield "xlm-roberta", tf.XLMRobertaModel, tf.XLMRobertaConfig(**behind), unigram(), dict(dtype=torch.float16)
    yield "xlm-roberta-ranker", tf.XLMRobertaForSequenceClassification, tf.XLMRobertaConfig(**behind, num_labels=1), unigram(), {}


def make(name, model_class, config, tokenizer, options):
    torch.manual_seed(len(name))
    config.vocab_size = len(tokenizer) + 6  # rows without a token, as published models have them
    model = model_class(config).eval().float()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.2 if p.dim() > 1 else p + torch.randn_like(p) * 0.1)
        if model.get_output_embeddings() is not None and config.tie_word_embeddings:
            model.tie_weights()
    saved = options.pop("dtype", torch.float32)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.to(saved).float())
    folder = OUT / name
    copy.deepcopy(model).to(saved).save_pretrained(folder, **options)
    tokenizer.save_pretrained(folder)
    texts = [[t, tokenizer(t)["input_ids"]] for t in TEXTS]
    padding = getattr(config, "pad_token_id", None)  # RoBERTa skips positions of padding: none in the tokens
    tokens = [int(i) + (int(i) == padding) for i in np.random.default_rng(1).integers(0, config.vocab_size, 24)]
    model.config._attn_implementation = "eager"
    with torch.no_grad():
        out = model(input_ids=torch.tensor([tokens]))
    kind = "hidden" if not hasattr(out, "logits") else "rank" if out.logits.dim() == 2 else "logits"
    rows = out.last_hidden_state[0] if kind == "hidden" else out.logits[0]
    rows.float().numpy().astype("<f4").tofile(OUT / f"{name}.f32")
    (OUT / f"{name}.json").write_text(json.dumps(dict(tokens=tokens, kind=kind, texts=texts)))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for item in models_to_make():
        if len(sys.argv) > 2 and item[0] not in sys.argv[2:]:
            continue
        make(*item)
        print(item[0], flush=True)
