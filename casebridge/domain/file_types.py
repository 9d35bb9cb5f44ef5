"""Kinds of content: which extension stands for which, and which of them cases take (contract attachments.md 6.3)."""

from __future__ import annotations

_IMAGES = """
aces apng avci avcs avif bmp cgm dicom-rle dpx emf example fits g3fax heic heic-sequence heif heif-sequence hej2k hsj2
jls jp2 jpeg jph jphc jpm jpx jxr jxrA jxrS jxs jxsc jxsi jxss ktx ktx2 naplps png prs.btif prs.pti pwg-raster svg+xml
t38 tiff tiff-fx vnd.adobe.photoshop vnd.airzip.accelerator.azv vnd.cns.inf2 vnd.dece.graphic vnd.djvu vnd.dwg vnd.dxf
vnd.dvb.subtitle vnd.fastbidsheet vnd.fpx vnd.fst vnd.fujixerox.edmics-mmr vnd.fujixerox.edmics-rlc
vnd.globalgraphics.pgb vnd.microsoft.icon vnd.mix vnd.ms-modi vnd.mozilla.apng vnd.net-fpx vnd.pco.b16 vnd.radiance
vnd.sealed.png vnd.sealedmedia.softseal.gif vnd.sealedmedia.softseal.jpg vnd.svf vnd.tencent.tap
vnd.valve.source.texture vnd.wap.wbmp vnd.xiff vnd.zbrush.pcx webp wmf
"""

ALLOWED_TYPES = frozenset(
    {
        "text/plain", "text/csv", "text/json", "application/json", "application/zip", "application/gzip",
        "application/x-bzip", "application/x-bzip2", "application/x-7z-compressed", "application/x-tar",
        "application/x-zip-compressed", "application/pdf", *(f"image/{each}" for each in _IMAGES.split()),
    }
)  # fmt: skip

_EXTENSIONS = """
text/plain txt text conf def list log in ini
text/csv csv
application/json json map
application/zip zip
application/gzip gz
application/x-bzip bz
application/x-bzip2 bz2 boz
application/x-7z-compressed 7z
application/x-tar tar
application/pdf pdf
image/aces exr
image/apng apng
image/avci avci
image/avcs avcs
image/avif avif
image/bmp bmp dib
image/cgm cgm
image/dicom-rle drle
image/dpx dpx
image/emf emf
image/fits fits
image/g3fax g3
image/heic heic
image/heic-sequence heics
image/heif heif
image/heif-sequence heifs
image/hej2k hej2
image/hsj2 hsj2
image/jls jls
image/jp2 jp2 jpg2
image/jpeg jpeg jpg jpe
image/jph jph
image/jphc jhc
image/jpm jpm jpgm
image/jpx jpx jpf
image/jxr jxr
image/jxrA jxra
image/jxrS jxrs
image/jxs jxs
image/jxsc jxsc
image/jxsi jxsi
image/jxss jxss
image/ktx ktx
image/ktx2 ktx2
image/png png
image/prs.btif btif btf
image/prs.pti pti
image/svg+xml svg svgz
image/t38 t38
image/tiff tif tiff
image/tiff-fx tfx
image/vnd.adobe.photoshop psd
image/vnd.airzip.accelerator.azv azv
image/vnd.dece.graphic uvi uvvi uvg uvvg
image/vnd.djvu djvu djv
image/vnd.dvb.subtitle sub
image/vnd.dwg dwg
image/vnd.dxf dxf
image/vnd.fastbidsheet fbs
image/vnd.fpx fpx
image/vnd.fst fst
image/vnd.fujixerox.edmics-mmr mmr
image/vnd.fujixerox.edmics-rlc rlc
image/vnd.microsoft.icon ico
image/vnd.ms-modi mdi
image/vnd.net-fpx npx
image/vnd.pco.b16 b16
image/vnd.tencent.tap tap
image/vnd.valve.source.texture vtf
image/vnd.wap.wbmp wbmp
image/vnd.xiff xif
image/vnd.zbrush.pcx pcx
image/webp webp
image/wmf wmf
image/gif gif
image/jxl jxl
text/html html htm shtml
text/css css
text/javascript js mjs
text/markdown md markdown
text/xml xml
text/yaml yaml yml
text/calendar ics
text/tab-separated-values tsv
text/rtf rtf
application/x-sh sh
application/x-httpd-php php
application/x-msdownload exe dll com bat msi
application/java-archive jar war ear
application/msword doc dot
application/vnd.ms-excel xls xlm xla xlt
application/vnd.ms-powerpoint ppt pps pot
application/vnd.ms-outlook msg
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.rar rar
application/vnd.tcpdump.pcap pcap cap dmp
application/octet-stream bin dms dump img iso
application/wasm wasm
application/postscript ps eps ai
message/rfc822 eml mime
audio/mpeg mp3
audio/wav wav
audio/ogg ogg oga
video/mp4 mp4 m4v
video/mpeg mpeg mpg
video/quicktime mov qt
video/webm webm
video/x-msvideo avi
font/woff woff
font/woff2 woff2
font/ttf ttf
"""
"""A type and its extensions on each line. Types that cases do not take are here too: a refusal names them."""

TYPE_OF_EXTENSION = {
    extension: type_
    for type_, *extensions in (line.split() for line in _EXTENSIONS.strip().splitlines())
    for extension in extensions
}
