#!/bin/sh
# Make the entries of the published Basenji2 models. Nothing is fetched.
#
#   sh model_zoo/basenji2/register.sh TARGETS [ZOO]
#
# TARGETS is a folder with targets_human.txt and targets_mouse.txt, as published in
# calico/basenji, manuscripts/cross2020 (Apache-2.0); ZOO gets basenji2/human and basenji2/mouse.
set -eu
targets=$1
zoo=${2:-model_zoo}
bucket=https://storage.googleapis.com/basenji_barnyard2

register() {
    species=$1
    shift
    ft-s2a zoo register "$zoo/basenji2/$species" --overwrite \
        --weights "$bucket/model_$species.h5" --format keras-h5 \
        --config basenji2-kelley2020 --head "$species" \
        --targets "$targets/targets_$species.txt" --transform basenji2020 \
        --license Apache-2.0 --author 'David R. Kelley' \
        --citation 'Kelley DR (2020) Cross-species regulatory sequence activity prediction. PLoS Computational Biology 16(7): e1008050, doi 10.1371/journal.pcbi.1008050. Weights and target tables: calico/basenji, manuscripts/cross2020.' \
        --procedure "Trained jointly on human and mouse, then fine-tuned on $species (its author in calico/basenji issue 82). By the released parameter file: Poisson loss, batches of 4, SGD with learning rate 0.15 and momentum 0.99, gradients clipped to norm 2, no augmentation." \
        --limitation 'The layout of the file, and the GELU x · sigmoid(1.702 x), are inferred from the code of the release (2020).' \
        --limitation "Observed units are those of the authors' coverage files, which are not public: bigWigs of predictions are comparable with each other, and with other files after scaling." \
        --limitation 'The licence is that of the repository calico/basenji, which names the address of the weights.' \
        --validation "The loader was compared with the authors' code on random weights of the same layout, scaled down. No prediction of the published weights was compared with anything." \
        "$@"
}

register human \
    --summary 'The published Basenji2 for human: DNase, ATAC, ChIP and CAGE tracks from ENCODE, FANTOM5 and GEO.' \
    --species 'Homo sapiens' --assembly hg38 \
    --sha256 3f74da002918d3e695bbf9e6f8a685e860196679372ba0964bd1faa26a82eed1 --bytes 120813856 \
    --limitation 'The weights were never downloaded here: their hash and size are from public records.'
register mouse \
    --summary 'The published Basenji2 for mouse: DNase, ATAC, ChIP and CAGE tracks from ENCODE, FANTOM5 and GEO.' \
    --species 'Mus musculus' --assembly mm10 \
    --limitation 'The weights were never downloaded here, and no public record of their hash is known.'
