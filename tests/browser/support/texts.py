"""Texts that a component may fail to show as they are."""

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
RIGHT_TO_LEFT = "abc \u202egnp.exe \U0001f514\U0001f468\u200d\U0001f469\u200d\U0001f467 \u05e9\u05dc\u05d5\u05dd"
