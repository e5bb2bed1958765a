package fakeinstagram

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// pictureLife is how long a picture URL works. Instagram's work for days.
const pictureLife = 4 * 24 * time.Hour

// picturePath is where the pictures of accounts and media are.
const picturePath = "/picture/"

// pictureURL is a's picture; empty when it has none.
func (i *Instagram) pictureURL(r *http.Request, a Account) string {
	switch {
	case a.NoPicture:
		return ""
	case a.Picture != "":
		return a.Picture
	}
	return i.imageURL(r, a.ID)
}

// imageURL is the fake's picture of an account or a medium. It expires at oe,
// hexadecimal seconds since 1970, as the CDN's do; in 2018 they did not expire.
func (i *Instagram) imageURL(r *http.Request, id string) string {
	u := i.origin(r) + picturePath + url.PathEscape(id) + ".png"
	if i.config.API == legacyAPI {
		return u
	}
	return fmt.Sprintf("%s?oh=00_fake&oe=%X", u, i.now().Add(pictureLife).Unix())
}

// picture serves the picture of an account or a medium.
func (i *Instagram) picture(r *http.Request) answer {
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, picturePath), ".png")
	_, isAccount := i.account(id)
	if _, _, isMedia := i.medium(id); !isAccount && !isMedia {
		return newAnswer(http.StatusNotFound, "text/plain; charset=utf-8", []byte("not found"))
	}
	if oe := r.URL.Query().Get("oe"); oe != "" {
		expires, err := strconv.ParseInt(oe, 16, 64)
		if err != nil || i.now().Unix() >= expires {
			return newAnswer(http.StatusForbidden, "text/plain", []byte("URL signature expired"))
		}
	}
	return newAnswer(http.StatusOK, "image/png", drawPicture(id))
}

// drawPicture is a small picture in colours that the id decides.
func drawPicture(id string) []byte {
	h := fnv.New32a()
	h.Write([]byte(id))
	sum := h.Sum32()
	dark := color.RGBA{uint8(sum), uint8(sum >> 8), uint8(sum >> 16), 255}
	light := color.RGBA{255 - dark.R/4, 255 - dark.G/4, 255 - dark.B/4, 255}
	img := image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{light, dark})
	for y := range 64 {
		for x := range 64 {
			if dx, dy := x-32, y-32; dx*dx+dy*dy < 24*24 {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a bytes.Buffer never fails
	return b.Bytes()
}
